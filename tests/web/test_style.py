"""The style sheet: readable in light and in dark, and nothing fetched from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import broker._kit.web as room

SHEET = (Path(room.__file__).parent / "static" / "style.css").read_text()
LIGHT, DARK = re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)[:2]

# Text on what lies behind it: at least 4.5 to 1 (WCAG AA).
TEXT = [
    ("ink", "card"),
    ("ink", "ground"),
    ("quiet", "card"),
    ("quiet", "ground"),
    ("accent", "card"),
    ("accent", "ground"),
    ("accent-ink", "accent"),
    ("accent-ink", "accent-deep"),
    ("bad", "bad-ground"),
    ("grave", "bad-ground"),
    ("quiet", "bad-ground"),
    ("ink", "bad-ground"),
    ("good", "good-ground"),
    ("news", "news-ground"),
    ("ink", "news-ground"),
    ("sim", "sim-ground"),
    ("live", "live-ground"),
    ("good", "card"),
    ("bad", "card"),
]
# Edges, the focus ring and the two parts of the bar: at least 3 to 1.
SHAPES = [("edge", "card"), ("focus", "card"), ("focus", "ground"), ("accent", "rest")]


def colours(scheme: str) -> dict[str, str]:
    given = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", LIGHT))
    if scheme == "dark":
        given |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", DARK))
    return given


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_the_yardstick() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [*((*pair, 4.5) for pair in TEXT), *((*pair, 3.0) for pair in SHAPES)],
)
def test_contrast(scheme: str, front: str, back: str, least: float) -> None:
    palette = colours(scheme)
    assert contrast(palette[front], palette[back]) >= least


def test_both_schemes_name_the_same_colours() -> None:
    names = re.compile(r"--([a-z-]+): #")
    assert set(names.findall(LIGHT)) == set(names.findall(DARK))


def test_nothing_is_fetched_from_elsewhere() -> None:
    assert "url(" not in SHEET
    assert "@import" not in SHEET


def test_every_colour_that_is_used_is_named() -> None:
    used = set(re.findall(r"var\(--([a-z-]+)\)", SHEET))
    assert used <= set(re.findall(r"--([a-z-]+):", LIGHT))
