"""The proof of fit: how long each screen can get, per language and per dialect, before anybody has seen it (pure).

Rules of this file:
- A screen is measured by what has to stand on one page of it: an `end` or a question as a whole, of a paged screen its
  title and reason with each option, and the engine's keys below.
- A text has two lengths: in septets, when all of it can be GSM 03.38, and in characters, when anything in it can make
  it UCS-2. Both have to fit. A value is as long as the longest that its type allows, passed through its filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from billing import contract
from smpp.text import septets
from strict_yaml import Mistake, Place

from . import answers, pages, wording
from .leads import guards_of, leads_of
from .menu import (
    Again,
    AskScreen,
    EndScreen,
    Fill,
    ListScreen,
    MenuScreen,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
    Template,
    Words,
)
from .pages import SMS_LIMITS, Limits
from .shapes import Known, Names, NoSuchName, Shape, find, item_names, names_of, notice_names

_ZONE = ZoneInfo("Asia/Almaty")
_LONGEST_MOMENT = "2026-12-28T20:59:59.999999Z"
FEW_SIGNS = 2
"""So few characters outside GSM 03.38 may be worth leaving out."""
_TEXT_BESIDE_KEYS = 10
"""So many characters of a long text must fit on a page, else it has too many pages."""


class Extent(NamedTuple):
    """How long a text can get: in septets while all of it is GSM (None: it cannot be), and in characters."""

    septets: int | None
    units: int
    wide: str = ""
    """What can make it UCS-2: a character, or a placeholder."""
    widest: str = ""
    """The placeholder that takes most of it, with how much."""
    signs: frozenset[str] = frozenset()
    """Its characters that are not in GSM 03.38."""


NOTHING = Extent(0, 0)


class Worst(NamedTuple):
    """The longest that must fit on one page of a screen."""

    service: str
    screen: str
    language: str
    dialect: str
    length: int
    limit: int
    unit: str
    wide: str
    widest: str
    place: Place
    signs: frozenset[str]
    """The characters of the file that make it UCS-2, when without them it would fit."""

    @property
    def fits(self) -> bool:
        return self.length <= self.limit


def proof(services: Iterable[Service], dialects: Mapping[str, Limits]) -> Iterator[Worst]:
    """The worst case of every screen, in every language and for every dialect."""
    for service in services:
        names = names_of(service)
        for language in service.languages:
            for screen, place, blocks in _all(service, language, names):
                for dialect, limits in _limits_of(service, screen, dialects).items():
                    yield _worst(service, screen, language, dialect, limits, blocks, place)


def mistakes(services: Iterable[Service], dialects: Mapping[str, Limits]) -> Iterator[Mistake]:
    """Every screen that can be longer than a page; of several dialects, the one that it misses by most."""
    missed: dict[tuple[str, str, str], Worst] = {}
    for worst in proof(services, dialects):
        key = (worst.service, worst.screen, worst.language)
        known = missed.get(key)
        if not worst.fits and (known is None or worst.length - worst.limit > known.length - known.limit):
            missed[key] = worst
    for worst in missed.values():
        where = f" of dialect '{worst.dialect}'" if worst.dialect else ""
        length = f"{worst.length} {worst.unit} in '{worst.language}'"
        what = f"{worst.screen} can have {length}, a page{where} holds {worst.limit}"
        yield Mistake(worst.place, what, _cure(worst))


def _cure(worst: Worst) -> str:
    over = worst.length - worst.limit
    if 0 < len(worst.signs) <= FEW_SIGNS:
        signs = " and ".join(f"'{sign}'" for sign in sorted(worst.signs))
        return f"Only {signs} makes it UCS-2, and without that it fits; or shorten it by {over}."
    forced = f" {worst.wide} can make it UCS-2." if worst.wide.startswith("$") else ""
    widest = f" {worst.widest}." if worst.widest else ""
    return f"Shorten it by {over}.{widest}{forced}"


def _limits_of(service: Service, screen: str, dialects: Mapping[str, Limits]) -> Mapping[str, Limits]:
    return {"": SMS_LIMITS} if service.sms or screen.startswith("notice") else dialects


def _worst(
    service: Service, screen: str, language: str, dialect: str, limits: Limits, blocks: list[Extent], place: Place
) -> Worst:
    def over(block: Extent) -> float:
        return max(
            _share(block.septets, limits.septets), _share(block.units if block.wide else None, limits.ucs2_units)
        )

    block = max(blocks, key=over)
    in_units = block.wide and (
        block.septets is None or block.units / limits.ucs2_units >= block.septets / limits.septets
    )
    length, limit, unit = (
        (block.units, limits.ucs2_units, "UCS-2 units") if in_units else (block.septets or 0, limits.septets, "septets")
    )
    spare = block.signs if not block.wide.startswith("$") and block.units <= limits.septets else frozenset()
    return Worst(service.id, screen, language, dialect, length, limit, unit, block.wide, block.widest, place, spare)


def _share(length: int | None, limit: int) -> float:
    return 0.0 if length is None else length / limit


# --- what has to stand on one page ----------------------------------------------------------------------------------


def _all(service: Service, language: str, names: Names) -> Iterator[tuple[str, Place, list[Extent]]]:
    """Everything that is shown: (what, where, its blocks)."""
    measure = _Measure(service, language, names)
    for screen in service.screens.values():
        if not isinstance(screen, RouteScreen):
            yield f"screen '{screen.id}'", screen.place, measure.blocks(screen)
        if isinstance(screen, ShowScreen | EndScreen) and screen.again:
            yield f"`again` of screen '{screen.id}'", screen.again.place, [measure.text(screen.again)]
        for guard in guards_of(screen):
            if guard.maintenance:
                yield f"`maintenance` of '{screen.id}'", guard.maintenance.place, [measure.text(guard.maintenance)]
    if service.guard and service.guard.maintenance:
        words = service.guard.maintenance
        yield "`maintenance` of the service", words.place, [measure.text(words)]
    for event, words in service.notices.items():
        yield f"notice '{event}'", words.place, [_Measure(service, language, notice_names(event)).text(words)]


class _Measure:
    """Measures the texts of a service in one language."""

    def __init__(self, service: Service, language: str, names: Names) -> None:
        self._service = service
        self._language = language
        self._names = names

    def blocks(self, screen: Screen) -> list[Extent]:
        """Every combination that has to fit on one page."""
        if isinstance(screen, EndScreen):
            return [self.text(screen.text)]
        assert not isinstance(screen, RouteScreen), "a route is never shown"  # noqa: S101
        keys = pages.ways(self._language, self._service.keys, True, True)
        below = literal(f"{keys.more} {keys.back} {keys.home}")
        reasons = [NOTHING, *self._reasons(screen)]
        if isinstance(screen, AskScreen):
            own = self._service.keys
            keys = pages.ways(self._language, own, own.back in screen.open_keys, own.home in screen.open_keys)
            text, ways = self.text(screen.text), literal(f"{keys.back} {keys.home}".strip())
            return [lines(reason, text, ways) for reason in reasons]
        options = self._options(screen)
        if isinstance(screen, ShowScreen):
            text = self.text(screen.text)
            some = Extent(
                None if text.septets is None else min(text.septets, _TEXT_BESIDE_KEYS),
                min(text.units, _TEXT_BESIDE_KEYS), text.wide,
            )  # fmt: skip
            return [lines(reason, block, below) for reason in reasons for block in (some, *options)]
        title = self.text(screen.text)
        return [lines(reason, title, option, below) for reason in reasons for option in options or [NOTHING]]

    def _options(self, screen: MenuScreen | ListScreen | ShowScreen) -> list[Extent]:
        if isinstance(screen, MenuScreen | ShowScreen):
            return [joined(literal(f"{option.key} "), self.text(option.text)) for option in screen.options]
        number = literal("97 ")
        if screen.item is not None:
            local = _Measure(self._service, self._language, item_names(screen, self._names, self._service))
            return [joined(number, local.text(screen.item))]
        if screen.items[0] == "lists":
            items = self._service.lists.get(screen.items[1], ())
            return [joined(literal(f"{at} "), self.text(item.text)) for at, item in enumerate(items, 1)]
        names = item_names(screen, self._names, self._service)
        return [joined(number, self._fill(Fill(("item", "text")), names))]

    def _reasons(self, screen: Screen) -> list[Extent]:
        """What can stand above the screen when an answer was wrong."""
        own = answers.NOTHING_TYPED if isinstance(screen, AskScreen) else answers.NO_SUCH_OPTION
        found = [literal(own[self._language])]
        if isinstance(screen, AskScreen):
            found += [self.text(check.reason) for check in screen.checks]
        return found + [self.text(lead.reason) for lead in leads_of(screen) if isinstance(lead, Again)]

    def text(self, words: Words) -> Extent:
        """How long a text of the file can get."""
        return self._template(words.by_language.get(self._language, ("",)))

    def _template(self, template: Template) -> Extent:
        return joined(*(literal(part) if isinstance(part, str) else self._fill(part, self._names) for part in template))

    def _fill(self, fill: Fill, names: Names) -> Extent:
        try:
            shapes = find(fill.path, names)
        except NoSuchName:
            return NOTHING
        written = f"${{{'.'.join(fill.path)}}}"
        return value_extent([each for shape in shapes for each in self._longest(shape, fill)], written)

    def _longest(self, shape: Shape, fill: Fill) -> list[str]:
        return [wording.shown(fill, value, self._language, _ZONE) for value in longest_values(shape, self._language)]


def value_extent(texts: list[str], written: str) -> Extent:
    """How long the longest of these is, shown in place of the placeholder `written`."""
    counts = [septets(text) for text in texts]
    units = max(map(len, texts), default=0)
    narrow = [count for count in counts if count is not None]
    wide = written if None in counts else ""
    longest = max(narrow) if narrow else None if texts else 0
    return Extent(longest, units, wide, f"{written} takes up to {units}")


def literal(text: str) -> Extent:
    """How long a text without placeholders is."""
    count = septets(text)
    if count is not None:
        return Extent(count, len(text))
    signs = [sign for sign in text if septets(sign) is None]
    return Extent(None, len(text), signs[0], "", frozenset(signs))


def joined(*extents: Extent) -> Extent:
    """One after the other."""
    total: int | None = 0
    for each in extents:
        total = None if total is None or each.septets is None else total + each.septets
    wide = next((each.wide for each in extents if each.wide and not each.wide.startswith("$")), "")
    wide = wide or next((each.wide for each in extents if each.wide), "")
    widest = max(extents, key=lambda each: each.units if each.widest else -1, default=NOTHING).widest
    signs = frozenset().union(*(each.signs for each in extents))
    return Extent(total, sum(each.units for each in extents), wide, widest, signs)


def lines(*extents: Extent) -> Extent:
    """One below the other; nothing takes no line."""
    there = [each for each in extents if each.units]
    breaks = Extent(max(0, len(there) - 1), max(0, len(there) - 1))
    return joined(*there, breaks)


def longest_values(shape: Shape, language: str) -> list[Any]:
    """The longest values of a shape, in every alphabet that makes a difference."""
    match shape:
        case contract.Text() | contract.Secret():
            return [sign * shape.characters_max for sign in "W€Ж"]
        case contract.Id():
            return [sign * contract.ID_CHARACTERS_MAX for sign in "W{`"]
        case contract.Digits():
            return ["0" * shape.most]
        case Known():
            return list(shape.texts.get(language, ()))
        case contract.Choice():
            return list(shape.values)
        case contract.Count():
            return [shape.most]
        case contract.Money():
            sums = (shape.least, shape.most)
            return [{"minor": minor, "currency": currency} for minor in sums for currency in contract.CURRENCIES]
        case contract.Msisdn():
            return ["9" * 15, "77777777777", "996777777777"]
        case contract.Day():
            return ["2026-12-28"]
        case contract.Instant():
            return [_LONGEST_MOMENT]
        case contract.Inn():
            return ["2" * 14]
    return []
