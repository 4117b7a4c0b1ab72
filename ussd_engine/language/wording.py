"""From templates and values to text: placeholders and their filters (pure). How text is laid out is `pages`' matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from .. import msisdn
from .menu import Fill, Filter, Path, Service, Template, value_at
from .pages import CUT_MARK, SMS_LIMITS, cut

_CURRENCY = {"KZT": {"kk": "тг", "ky": "тг", "ru": "тг"}, "KGS": {"kk": "сом", "ky": "сом", "ru": "сом"}}
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


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
    return text if len(text) <= most else text[: max(0, most - len(CUT_MARK))].rstrip() + CUT_MARK


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
        if (filter_name == "cut") != bool(argument):
            what = "how many characters it leaves, as cut:20" if filter_name == "cut" else "no number"
            raise BadTemplate(f"filter '{filter_name}' takes {what}")
        found.append(Filter(filter_name, int(argument) if argument else None))
    return Fill(tuple(name.split(".")), tuple(found))
