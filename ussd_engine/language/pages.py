"""Screens that fit: how long a text is on the air, and pages of whole options or words (pure).

- A text is measured as it goes on the air: septets of GSM 03.38 while every character is in it (an extension
  character counts 2), else UCS-2 units; one `қ` makes the whole screen UCS-2.
- Pages hold whole options; text is cut at words; the reason above and the keys below are part of the budget. A page is
  named by the first item on it, never by a number.
- Back, home and more are the engine's own words, as short as each language allows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, overload

from smpp.text import septets, ucs2_units

from .menu import Keys

_LABELS: Mapping[str, Keys] = {
    "kk": Keys("Артқа", "Басы", "Әрі"),
    "ky": Keys("Артка", "Башы", "Ары"),
    "ru": Keys("Назад", "Начало", "Ещё"),
    "en": Keys("Back", "Home", "More"),
}
CUT_MARK = ".."


class Limits(NamedTuple):
    """What one screen of a dialect may hold: septets while it is GSM 03.38, else UCS-2 units."""

    septets: int = 182
    ucs2_units: int = 80


SMS_LIMITS = Limits(1530, 670)
"""What an SMS answer may hold: ten parts."""


class Page(NamedTuple):
    """One screen of a longer whole: its text, and where the next page begins (None: this is the last).

    `cut`: something of it did not fit and was cut by rule, which no menu that has passed the proof of fit meets.
    """

    text: str
    next_first: int | None
    cut: bool = False


class Ways(NamedTuple):
    """The engine's keys on a screen, as shown: `0 Назад`; empty where a way is not open."""

    back: str = ""
    home: str = ""
    more: str = ""


def fits(text: str, limits: Limits) -> bool:
    """Whether the text goes on one screen."""
    count = septets(text)
    return count <= limits.septets if count is not None else ucs2_units(text) <= limits.ucs2_units


def measure(text: str) -> tuple[int, str]:
    """The text's length as it goes on the air, and in which unit: ("septets" or "UCS-2 units")."""
    count = septets(text)
    return (count, "septets") if count is not None else (ucs2_units(text), "UCS-2 units")


def cut(text: str, limits: Limits) -> str:
    """The text, cut at a word where it would not fit: the rule of last resort, for what the linter could not know."""
    if fits(text, limits):
        return text
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        if fits(text[:middle] + CUT_MARK, limits):
            least = middle
        else:
            most = middle - 1
    short = text[:least]
    word_end = max(short.rfind(" "), short.rfind("\n"))
    return (short[:word_end] if word_end > least // 2 else short).rstrip() + CUT_MARK


@functools.cache
def ways(language: str, keys: Keys, back: bool, home: bool) -> Ways:
    """The engine's keys in a language."""
    label = _LABELS[language]
    return Ways(
        f"{keys.back} {label.back}" if back else "",
        f"{keys.home} {label.home}" if home else "",
        f"{keys.more} {label.more}",
    )


def _joined(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


class Lines(Sequence[str]):
    """Lines that are made when they are looked at: of a long list, a page needs a few."""

    def __init__(self, count: int, make: Callable[[int], str]) -> None:
        self._made: list[str | None] = [None] * count
        self._make = make

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        line = self._made[at]
        if line is None:
            line = self._made[at] = self._make(at)
        return line


@functools.lru_cache(maxsize=8192)
def static_option_page(
    title: str, lines: tuple[str, ...], first: int, reason: str, open_ways: Ways, limits: Limits
) -> Page:
    """`option_page` of a screen whose words are known when its file is read: laid out once, and remembered."""
    return option_page(title, lines, first, reason, open_ways, limits)


def option_page(title: str, lines: Sequence[str], first: int, reason: str, open_ways: Ways, limits: Limits) -> Page:
    """The page that begins with option `first`: as many whole options as fit. The title stands on the first page."""
    head = _joined(reason, title if first == 0 or not lines else "")
    back = " ".join(filter(None, (open_ways.back, open_ways.home)))
    near = _that_could_fit(lines, first, limits)
    if first + len(near) == len(lines):
        whole = _joined(head, *near, back)
        if fits(whole, limits):
            return Page(whole, None)
    below = " ".join(filter(None, (open_ways.more, back)))
    taken = 0
    while (
        first + taken + 1 < len(lines) and taken < len(near) and fits(_joined(head, *near[: taken + 1], below), limits)
    ):
        taken += 1
    if taken:
        return Page(_joined(head, *near[:taken], below), first + taken)
    return _crowded_page(head, lines, first, back, below, limits)


def _that_could_fit(lines: Sequence[str], first: int, limits: Limits) -> list[str]:
    """The lines from `first` on, as far as one page could hold them: a character takes at least a septet."""
    near: list[str] = []
    length = 0
    for at in range(first, len(lines)):
        length += len(lines[at]) + 1
        if length > limits.septets + 1:
            break
        near.append(lines[at])
    return near


def _crowded_page(head: str, lines: Sequence[str], first: int, back: str, below: str, limits: Limits) -> Page:
    """Not even one option fits below the head: the longest of the two is cut, the option first."""
    last = first + 1 >= len(lines)
    keys = back if last else below
    option = lines[first] if first < len(lines) else ""
    for room in range(len(option), 3, -1):
        text = _joined(head, option[:room] + (CUT_MARK if room < len(option) else ""), keys)
        if fits(text, limits):
            return Page(text, None if last else first + 1, cut=room < len(option))
    return Page(cut(_joined(head, option, keys), limits), None if last else first + 1, cut=True)


def end_page(text: str, limits: Limits) -> Page:
    """The one page of a last screen, or of a question."""
    shown = cut(text, limits)
    return Page(shown, None, cut=shown is not text)


@functools.lru_cache(maxsize=8192)
def text_page(text: str, lines: tuple[str, ...], first: int, reason: str, open_ways: Ways, limits: Limits) -> Page:
    """The page of a long text that begins at character `first`, cut at words; options stand below its end."""
    if lines and first >= len(text):  # past the text: its options, from this one on
        page = option_page("", lines, first - len(text), reason, open_ways, limits)
        return page._replace(next_first=None if page.next_first is None else page.next_first + len(text))
    back = " ".join(filter(None, (open_ways.back, open_ways.home)))
    rest = text[first:]
    whole = _joined(reason, rest, *lines, back)
    if fits(whole, limits):
        return Page(whole, None)
    below = " ".join(filter(None, (open_ways.more, back)))
    taken = _longest_fit(rest, lambda piece: fits(_joined(reason, piece.rstrip(), below), limits))
    page = end_page(_joined(reason, rest[:taken].rstrip(), below), limits)
    return page._replace(next_first=first + taken if lines or first + taken < len(text) else None)


def _longest_fit(text: str, suits: Callable[[str], bool]) -> int:
    """How many characters of the text suit, ending after a space or line where there is one; at least one."""
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        if suits(text[:middle]):
            least = middle
        else:
            most = middle - 1
    if least >= len(text):
        return len(text)
    word_end = max(text.rfind(" ", 0, least + 1), text.rfind("\n", 0, least + 1)) + 1
    return max(1, word_end if word_end > least // 2 else least)


def page_starts(page_from: Callable[[int], Page]) -> list[int]:
    """Where each page begins, walking from the first."""
    starts = [0]
    while (following := page_from(starts[-1]).next_first) is not None:
        starts.append(following)
    return starts
