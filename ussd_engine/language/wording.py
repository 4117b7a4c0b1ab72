"""From templates and values to the text of a screen that fits (pure).

- A text is measured as it goes on the air: septets of GSM 03.38 while every character is in it (an extension
  character counts 2), else UCS-2 units; one `қ` makes the whole screen UCS-2.
- Pages hold whole options; text is cut at words; the reason above and the keys below are part of the budget.
- Back, home and more are the engine's own words, as short as each language allows.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from smpp.text import septets, ucs2_units

from .. import msisdn
from .menu import Fill, Filter, Keys, Path, Service, Template, value_at

_LABELS: Mapping[str, Keys] = {
    "kk": Keys("Артқа", "Басы", "Әрі"),
    "ky": Keys("Артка", "Башы", "Ары"),
    "ru": Keys("Назад", "Начало", "Ещё"),
    "en": Keys("Back", "Home", "More"),
}
_CURRENCY = {"KZT": {"kk": "тг", "ky": "тг", "ru": "тг"}, "KGS": {"kk": "сом", "ky": "сом", "ru": "сом"}}
_CUT_MARK = ".."
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


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
        if fits(text[:middle] + _CUT_MARK, limits):
            least = middle
        else:
            most = middle - 1
    short = text[:least]
    word_end = max(short.rfind(" "), short.rfind("\n"))
    return (short[:word_end] if word_end > least // 2 else short).rstrip() + _CUT_MARK


# --- placeholders ---------------------------------------------------------------------------------------------------


def fill(template: Template, look: Callable[[Path], Any], language: str, time_zone: tzinfo) -> str:
    """The template with its placeholders filled; what is not there shows as nothing."""
    if len(template) == 1 and isinstance(template[0], str):
        return template[0]
    return "".join(
        part if isinstance(part, str) else shown(part, look(part.path), language, time_zone) for part in template
    )


def notice_text(service: Service, event: str, arguments: Mapping[str, Any], language: str, time_zone: tzinfo) -> str:
    """The SMS that tells of an event. The arguments may be secret: the text is sent, and nothing else done with it."""
    words = service.notices[event].by_language[language]
    return cut(fill(words, lambda path: value_at(arguments, path), language, time_zone), SMS_LIMITS)


def shown(placeholder: Fill, value: Any, language: str, time_zone: tzinfo) -> str:
    for each in placeholder.filters:
        value = FILTERS[each.name](value, each, language, time_zone)
    if value is None:
        return ""
    return _money(value, Filter("money"), language, time_zone) if isinstance(value, dict) else str(value)


def _money(value: Any, _filter: Filter, language: str, _zone: tzinfo) -> str:
    """`1 250 тг`, `1 250,50 тг`; English `1,250.50 KZT`. Whole minor units in, never a float."""
    if not isinstance(value, dict) or not isinstance(value.get("minor"), int):
        return "" if value is None or isinstance(value, dict) else str(value)
    minor, currency = value["minor"], str(value.get("currency", ""))
    sign = "-" if minor < 0 else ""
    whole, hundredths = divmod(abs(minor), 100)
    name = _CURRENCY.get(currency, {}).get(language, currency)
    if language == "en":
        fraction = f".{hundredths:02}" if hundredths else ""
        return f"{sign}{whole:,}{fraction} {name}"
    fraction = f",{hundredths:02}" if hundredths else ""
    return f"{sign}{whole:,}".replace(",", " ") + f"{fraction} {name}"


def _moment(value: Any, time_zone: tzinfo) -> datetime | None:
    try:
        return datetime.fromisoformat(value).astimezone(time_zone) if isinstance(value, str) and value else None
    except (ValueError, OverflowError):  # not a moment, or one beyond the calendar: shown as nothing
        return None


def _date(value: Any, _filter: Filter, _language: str, time_zone: tzinfo) -> str:
    """A day, or the local day of an instant: `21.11.2026`."""
    if isinstance(value, str) and _DAY.match(value):
        year, month, day = value.split("-")
        return f"{day}.{month}.{year}"
    moment = _moment(value, time_zone)
    return moment.strftime("%d.%m.%Y") if moment else ""


def _time(value: Any, _filter: Filter, _language: str, time_zone: tzinfo) -> str:
    """The local time of an instant: `14:05`."""
    moment = _moment(value, time_zone)
    return moment.strftime("%H:%M") if moment else ""


def _mask(value: Any, _filter: Filter, _language: str, _zone: tzinfo) -> str:
    """All but the last four characters as stars."""
    text = "" if value is None else str(value)
    return "*" * max(0, len(text) - 4) + text[-4:]


def _phone(value: Any, _filter: Filter, _language: str, _zone: tzinfo) -> str:
    return "" if value is None else msisdn.shown(str(value))


def _cut_to(value: Any, each: Filter, _language: str, _zone: tzinfo) -> str:
    text = "" if value is None else str(value)
    most = each.argument or 20
    return text if len(text) <= most else text[: max(0, most - len(_CUT_MARK))].rstrip() + _CUT_MARK


def _upper(value: Any, _filter: Filter, _language: str, _zone: tzinfo) -> str:
    """Capitals, as many characters as before: what has no capital of its own (ß) stays."""
    text = "" if value is None else str(value)
    return "".join(capital if len(capital := sign.upper()) == 1 else sign for sign in text)


FILTERS: Mapping[str, Callable[[Any, Filter, str, tzinfo], str]] = {
    "money": _money,
    "date": _date,
    "time": _time,
    "mask": _mask,
    "phone": _phone,
    "cut": _cut_to,
    "upper": _upper,
}

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*\Z")


class BadTemplate(Exception):
    """A text whose placeholders cannot be read; the text says why."""


def parse_template(text: str) -> Template:
    """Reads `…${name.field|filter}…`. Raises BadTemplate."""
    parts: list[str | Fill] = []
    position = 0
    for match in _PLACEHOLDER.finditer(text):
        parts += [text[position : match.start()]] if match.start() > position else []
        parts.append(_parse_fill(match[1]))
        position = match.end()
    rest = text[position:]
    if "${" in rest or any(isinstance(part, str) and "${" in part for part in parts):
        raise BadTemplate("a '${' without its '}'")
    return (*parts, rest) if rest or not parts else tuple(parts)


def _parse_fill(inside: str) -> Fill:
    name, *filters = (part.strip() for part in inside.split("|"))
    if not _NAME.match(name):
        raise BadTemplate(f"'${{{inside}}}' does not name a value")
    found = []
    for word in filters:
        filter_name, _, argument = word.partition(":")
        if filter_name not in FILTERS:
            raise BadTemplate(f"there is no filter '{filter_name}' (there are {', '.join(sorted(FILTERS))})")
        if argument and not (argument.isascii() and argument.isdigit() and len(argument) < 4):
            raise BadTemplate(f"'{argument}' is not a number")
        found.append(Filter(filter_name, int(argument) if argument else None))
    return Fill(tuple(name.split(".")), tuple(found))


# --- pages ----------------------------------------------------------------------------------------------------------


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


@functools.lru_cache(maxsize=8192)
def option_page(title: str, lines: tuple[str, ...], first: int, reason: str, open_ways: Ways, limits: Limits) -> Page:
    """The page that begins with option `first`: as many whole options as fit. The title stands on the first page.

    A static screen is laid out once: the result is remembered by its words.
    """
    head = _joined(reason, title if first == 0 or not lines else "")
    back = " ".join(filter(None, (open_ways.back, open_ways.home)))
    whole = _joined(head, *lines[first:], back)
    if fits(whole, limits):
        return Page(whole, None)
    below = " ".join(filter(None, (open_ways.more, back)))
    taken = 0
    while first + taken + 1 < len(lines) and fits(_joined(head, *lines[first : first + taken + 1], below), limits):
        taken += 1
    if taken:
        return Page(_joined(head, *lines[first : first + taken], below), first + taken)
    return _crowded_page(head, lines, first, back, below, limits)


def _crowded_page(head: str, lines: tuple[str, ...], first: int, back: str, below: str, limits: Limits) -> Page:
    """Not even one option fits below the head: the longest of the two is cut, the option first."""
    last = first + 1 >= len(lines)
    keys = back if last else below
    option = lines[first] if first < len(lines) else ""
    for room in range(len(option), 3, -1):
        text = _joined(head, option[:room] + (_CUT_MARK if room < len(option) else ""), keys)
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
