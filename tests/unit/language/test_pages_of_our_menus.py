"""How many of our screens take a second page, where a page holds 182 septets or 80 UCS-2 units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MENUS = Path(__file__).resolve().parents[3] / "menus"
MORE = re.compile(r"(\A|\n)98 ")


def screens() -> Iterator[str]:
    """Every whole screen that a talk of our menus shows, in every language."""
    for path in sorted(MENUS.rglob("*.yaml")):
        file: Any = yaml.load(path.read_text(), Loader=yaml.CBaseLoader)
        for test in file.get("tests", ()):
            yield from (step["screen"] for step in test["talk"] if "screen" in step)


def test_at_most_one_screen_in_five_needs_a_second_page() -> None:
    shown = set(screens())
    further = {text for text in shown if MORE.search(text)}
    assert len(shown) > 1000
    assert len(further) / len(shown) <= 0.2
