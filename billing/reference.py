"""The contract as a page for people: `python -m billing.reference` writes `docs/billing-operations.md`.

Rules of this file (pure, but for its main): what stands on the page is what the contract says, word for word.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from billing.contract import OPERATIONS
from billing.events import EVENTS
from billing.operation import Operation
from billing.values import (
    Choice,
    Count,
    Day,
    Digits,
    Field,
    Flag,
    Id,
    Inn,
    Instant,
    ListOf,
    Money,
    Msisdn,
    Secret,
    Text,
    Type,
)

PAGE: Final = Path(__file__).parent.parent / "docs" / "billing-operations.md"
_HEAD: Final = """# Operations and events of the billing contract

Written from `billing/` by `python -m billing.reference`; a test fails when they differ. What all operations share
(envelope, ids, signatures, what comes back) stands in [billing.md](billing.md).

An operation is asked for by `subscriber` (menus, cabinet, voice line) unless another asker is named. *Changes* means
that the call's id is stored with its answer, for ever; *secret* arguments are never kept, logged or sent twice.
"""
_WORDS: Final[Mapping[type[Type], str]] = {
    Msisdn: "number",
    Day: "day",
    Instant: "moment",
    Id: "name",
    Inn: "14 digits",
    Flag: "true or false",
}


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for domain, operations in groupby(OPERATIONS.values(), lambda each: each.name.partition(".")[0]):
        parts.append(f"## {domain}\n")
        parts += [_operation(operation) for operation in operations]
    parts.append("## Events\n\nWhat is told by SMS; the core says which and with which facts, the engine words it.\n")
    parts.append("| Event | When | Facts | Too old after |\n|---|---|---|---|")
    for event in EVENTS.values():
        facts = ", ".join(f"`{name}` {_type(field.type)}" for name, field in event.arguments.items())
        parts.append(f"| `{event.name}` | {event.means} | {facts} | {_time(event.seconds_valid)} |")
    return "\n".join(parts) + "\n"


def _operation(operation: Operation) -> str:
    lines = [f"### `{operation.name}`\n", operation.means]
    notes = ["changes"] if operation.changes else []
    if operation.asked_by != "subscriber":
        notes.append(f"asked by {operation.asked_by}")
    if operation.by_manager:
        notes.append("also for who manages the number (`by`)")
    if operation.answer_notice:
        notes.append(f"answered by SMS as `{operation.answer_notice}`")
    if operation.status not in (None, "calls.status"):
        notes.append(f"its outcome is told by `{operation.status}`")
    notes.append(f"{operation.seconds_max:g} s at most")
    lines.append(f"*{'; '.join(notes)}.*\n")
    lines += _fields("Argument", operation.arguments) + _fields("Result", operation.results)
    if operation.refusals:
        lines += ["| Refused | When |", "|---|---|"]
        lines += [f"| `{code}` | {means} |" for code, means in operation.refusals.items()]
        if operation.details:
            details = ", ".join(f"`{name}` ({field.means})" for name, field in operation.details.items())
            lines.append(f"\nA refusal may carry {details}.")
        lines.append("")
    return "\n".join(lines)


def _fields(head: str, fields: Mapping[str, Field]) -> list[str]:
    if not fields:
        return []
    return [f"| {head} | Type | Meaning |", "|---|---|---|", *_rows(fields, ""), ""]


def _rows(fields: Mapping[str, Field], before: str) -> Iterable[str]:
    for name, field in fields.items():
        optional = "; may be absent" if field.optional else ""
        yield f"| `{before}{name}` | {_type(field.type)} | {field.means}{optional} |"
        if isinstance(field.type, ListOf):
            yield from _rows(field.type.fields, f"{before}{name}[].")


def _type(kind: Type) -> str:
    match kind:
        case Text(most):
            return f"text, at most {most}"
        case Secret(most):
            return f"secret, at most {most}"
        case Digits(most, least):
            return f"{most} digits" if most == least else f"{least} to {most} digits"
        case Count(most):
            return f"0 to {most}"
        case Choice(values):
            return " / ".join(values)
        case ListOf(_, most):
            return f"list, at most {most}"
        case Money(most, least):
            return "money" if least < 0 else f"money, {least / 100:g} to {most / 100:,.2f}"
        case _:
            return _WORDS[type(kind)]


def _time(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")
