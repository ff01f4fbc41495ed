"""Candles as an SVG picture, drawn without a library; pure."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from broker._kit.money import price_text
from broker.mstock.mapping.candles import Candle

WIDTH, NARROW = 960, 420  # pixels; the narrow one is for a phone
_HEIGHT, _LEFT, _TOP, _BOTTOM = 420, 12, 36, 28
_RIGHT = 88  # room for the prices, up to lakhs
_VOLUME = 60  # height of the bars of volume, at the bottom of the picture
_LINES = 5
_STYLE = (
    ".u{stroke:#15803d;fill:#15803d}.d{stroke:#b91c1c;fill:#b91c1c}.v{fill:#94a3b8;opacity:.6}"
    ".g{stroke:#cbd5e1}.b{fill:#fff}"
    "text{font:12px system-ui,sans-serif;fill:#334155}.t{font-size:15px}"
    "@media(prefers-color-scheme:dark){.u{stroke:#7fd8ab;fill:#7fd8ab}.d{stroke:#ff9d9d;"
    "fill:#ff9d9d}.v{fill:#7d8b9a}.g{stroke:#2c3845}.b{fill:#18212b}text{fill:#a3afbd}}"
)
_NARROWEST = 3  # pixels of a candle; older ones are left out


def svg(
    title: str,
    found: Sequence[Candle],
    *,
    is_daily: bool,
    without: str = "No candles.",
    width: int = WIDTH,
) -> str:
    """A picture of the last candles, as many as have room, prices on the right, times below.

    Green closes at or above its opening, red below. Without candles it says `without`.
    """
    shown = found[-((width - _LEFT - _RIGHT) // _NARROWEST) :]
    body = _candles(shown, is_daily, width) if shown else _text(_LEFT, _HEIGHT // 2, without)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" role="img">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f'<rect class="b" width="{width}" height="{_HEIGHT}"/>'
        f"{_text(_LEFT, 22, title, 't')}{body}</svg>\n"
    )


def _candles(shown: Sequence[Candle], is_daily: bool, picture_width: int) -> str:
    low, high = min(each.low for each in shown), max(each.high for each in shown)
    right = picture_width - _RIGHT
    room = (high - low) or high or 1.0
    most = max(each.volume for each in shown) or 1
    floor = _HEIGHT - _BOTTOM
    step = (right - _LEFT) / len(shown)
    width = max(1.0, step * 0.7)

    def y(price: float) -> float:
        return _TOP + (high - price) / room * (floor - _VOLUME - _TOP)

    parts = []
    for n in range(_LINES):
        price = low + room * n / (_LINES - 1)
        parts.append(
            f'<line class="g" x1="{_LEFT}" x2="{right}" y1="{y(price):.1f}" '
            f'y2="{y(price):.1f}"/>' + _text(right + 6, y(price) + 4, price_text(round(price, 2)))
        )
    for n, each in enumerate(shown):
        x = _LEFT + step * (n + 0.5)
        top, bottom = y(max(each.open, each.close)), y(min(each.open, each.close))
        kind = "u" if each.close >= each.open else "d"
        volume = each.volume / most * _VOLUME
        parts.append(
            f'<rect class="v" x="{x - width / 2:.1f}" y="{floor - volume:.1f}" '
            f'width="{width:.1f}" height="{volume:.1f}"/>'
            f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y(each.high):.1f}" '
            f'y2="{y(each.low):.1f}"/>'
            f'<rect class="{kind}" x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{max(1.0, bottom - top):.1f}"/>'
        )
    form = "%d %b %Y" if is_daily else "%d %b %H:%M"
    for n in sorted({0, len(shown) // 2, len(shown) - 1}):
        x = min(_LEFT + step * n, right - 60)
        parts.append(_text(x, _HEIGHT - 9, shown[n].start.strftime(form)))
    return "".join(parts)


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
