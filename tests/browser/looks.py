"""A page in all the looks it has: light, dark, on a phone, in a narrow window, on a tablet."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, ViewportSize

Shoot = Callable[[Page, str], None]

_DESKTOP = ViewportSize(width=1100, height=760)
_WINDOWS = {
    "light": _DESKTOP,
    "dark": _DESKTOP,
    "phone": ViewportSize(width=360, height=740),
    "narrow": ViewportSize(width=320, height=600),
    "tablet": ViewportSize(width=820, height=900),
}
# The looks of which pictures are taken; the others are only measured.
_PICTURES = ("light", "dark", "phone")


def nothing_sticks_out(page: Page) -> None:
    """No page scrolls sideways, and nothing is wider than the window."""
    wide = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
            .map(e => e.tagName + '.' + e.className)"""
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def tiles_are_even(page: Page) -> None:
    """Tiles side by side have one size, their figures stand on one line; the note keeps off the
    cards. True of a page without them.
    """
    tiles, gaps = page.evaluate(
        """() => [
            [...document.querySelectorAll('.tile')].map(tile => {
                const {top, width, height} = tile.getBoundingClientRect()
                const figure = tile.querySelector('.figure').getBoundingClientRect()
                return [top, width, height, figure.top]
            }),
            [...document.querySelectorAll('.note')].map(note =>
                note.nextElementSibling.getBoundingClientRect().top
                    - note.getBoundingClientRect().bottom),
        ]"""
    )
    assert len({round(width) for _, width, _, _ in tiles}) <= 1
    for row in {round(top) for top, *_ in tiles}:
        beside = {tuple(map(round, tile)) for tile in tiles if round(tile[0]) == row}
        assert len(beside) == 1, beside
    assert all(gap >= 8 for gap in gaps), gaps


def fits(page: Page, shoot: Shoot, name: str, *pictures: str) -> None:
    """The page fits in every look; pictures of it are taken in those, or in all that have one."""
    for look, window in _WINDOWS.items():
        page.set_viewport_size(window)
        page.emulate_media(color_scheme="dark" if look == "dark" else "light")
        nothing_sticks_out(page)
        tiles_are_even(page)
        if look in (pictures or _PICTURES):
            shoot(page, f"{name}-{look}")
    page.set_viewport_size(_DESKTOP)
    page.emulate_media(color_scheme="light")
