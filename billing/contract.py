"""The billing contract: every operation with its arguments, its results and the ways it can be refused.

Rules of the contract (this file, `values`, `operation`, `operations` and `notices` are pure: no I/O, no clock):
- One frozen `Operation` each, in `billing.operations`. OpenAPI is written from them (`billing.openapi`), menus are
  checked against them, and both sides check what they receive with `check_values`. Nothing else describes the API.
- Whose number it is and in which language to answer travel with every call (`billing.calls.Call`), so they are no
  operation's arguments.
- An operation that changes something, or that takes a secret, names the operation that tells its outcome afterwards.
- A name or a type, once published, stays. What is added is optional, and a reader passes over results it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from billing.events import EVENTS
from billing.operation import ASKERS, Operation
from billing.operations import ALL
from billing.values import (
    CURRENCIES,
    ID_CHARACTERS_MAX,
    LANGUAGES,
    MONEY_MINOR_MOST,
    NETWORKS,
    STATUSES,
    Choice,
    Count,
    Day,
    Digits,
    Fault,
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
    Value,
    check_values,
    only_known,
)

__all__ = [
    "CURRENCIES",
    "ID_CHARACTERS_MAX",
    "LANGUAGES",
    "MONEY_MINOR_MOST",
    "NETWORKS",
    "OPERATIONS",
    "STATUSES",
    "Choice",
    "Count",
    "Day",
    "Digits",
    "Fault",
    "Field",
    "Flag",
    "Id",
    "Inn",
    "Instant",
    "ListOf",
    "Money",
    "Msisdn",
    "Operation",
    "Secret",
    "Text",
    "Type",
    "Value",
    "broken_rules",
    "check_values",
    "only_known",
]


def broken_rules(operations: Iterable[Operation]) -> list[str]:
    """The rules of the contract that a set of operations breaks, in words; empty for a sound set."""
    listed = list(operations)
    by_name = {operation.name: operation for operation in listed}
    broken = ["two operations have one name"] if len(by_name) < len(listed) else []
    for operation in listed:
        name, status = operation.name, operation.status
        if (operation.changes or operation.takes_secret) and status is None:
            broken.append(f"{name} changes something or takes a secret, and has no status operation")
        if status is not None and (status not in by_name or by_name[status].changes):
            broken.append(f"{name}: its status operation {status} is not there, or changes something itself")
        elif status is not None:
            broken += _status_rules(operation, by_name[status])
        if operation.asked_by not in ASKERS:
            broken.append(f"{name}: nobody is called '{operation.asked_by}'")
        if operation.seconds_max <= 0:
            broken.append(f"{name}: seconds_max must be above 0")
        broken += [f"{name}: result {r} is a secret" for r, f in operation.results.items() if type(f.type) is Secret]
        broken += [f"{name}: detail {d} is not optional" for d, f in operation.details.items() if not f.optional]
        if operation.answer_notice is not None and not (operation.changes and operation.answer_notice in EVENTS):
            broken.append(f"{name}: its notice {operation.answer_notice} is not there, or it changes nothing")
    return broken


def _status_rules(operation: Operation, status: Operation) -> list[str]:
    """A status operation is asked with the call's id and arguments of the call, none of them secret; what is optional
    is for who asks."""
    broken = []
    asked = {name for name, field in status.arguments.items() if not field.optional} - {"call"}
    open_ones = {name for name, field in operation.arguments.items() if type(field.type) is not Secret}
    if "call" not in status.arguments or not asked <= open_ones:
        broken.append(f"{operation.name}: {status.name} asks for what the call does not have in the open")
    if not {"outcome", "refusal"} <= status.results.keys():
        broken.append(f"{status.name} is a status operation, and tells no `outcome` and `refusal`")
    return broken


if _broken := broken_rules(ALL):
    raise ValueError("the billing contract breaks its own rules: " + "; ".join(_broken))

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({operation.name: operation for operation in ALL})
"""Every operation by its name."""
