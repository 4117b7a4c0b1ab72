"""The contract: its rules hold, and values are measured by it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from billing.contract import (
    MONEY_MINOR_MOST,
    OPERATIONS,
    Choice,
    Count,
    Day,
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
    broken_rules,
    check_values,
    only_known,
)

SET_LANGUAGE = OPERATIONS["subscribers.set_language"]
HELLO = OPERATIONS["subscribers.hello"]


def test_the_published_operations_break_no_rule() -> None:
    assert broken_rules(OPERATIONS.values()) == []


def test_a_change_without_a_status_operation_breaks_the_rules() -> None:
    [broken] = broken_rules([dataclasses.replace(SET_LANGUAGE, status=None)])
    assert "subscribers.set_language changes something" in broken


def test_a_secret_argument_without_a_status_operation_breaks_the_rules() -> None:
    asking = dataclasses.replace(HELLO, arguments={"pin": Field(Secret(4), "the PIN")})
    assert asking.takes_secret
    assert "no status operation" in broken_rules([asking])[0]


def test_a_status_operation_that_is_missing_or_changes_something_breaks_the_rules() -> None:
    assert "is not there" in broken_rules([dataclasses.replace(HELLO, status="calls.nothing")])[0]
    assert broken_rules([dataclasses.replace(SET_LANGUAGE, status="subscribers.set_language")]) != []


def test_a_result_that_is_a_secret_breaks_the_rules() -> None:
    telling = dataclasses.replace(HELLO, results={"pin": Field(Secret(4), "the PIN")})
    assert broken_rules([telling]) == ["subscribers.hello: result pin is a secret"]


@pytest.mark.parametrize("change", [{"answer_notice": "moon.landed"}, {"changes": False}])
def test_a_notice_for_an_answer_must_be_an_event_and_answer_a_change(change: dict[str, Any]) -> None:
    [broken] = broken_rules([dataclasses.replace(SET_LANGUAGE, **change), OPERATIONS["calls.status"]])
    assert "its notice" in broken


FITTING: list[tuple[Type, object]] = [
    (Text(5), "қазақ"),
    (Text(5), "a\nb"),
    (Msisdn(), "77010000007"),
    (Money(), {"minor": -MONEY_MINOR_MOST, "currency": "KGS"}),
    (Count(9), 0),
    (Count(9), 9),
    (Day(), "2028-02-29"),
    (Instant(), "2026-03-31T09:30:00Z"),
    (Instant(), "2026-03-31T09:30:00.123456Z"),
    (Id(), "a" * 64),
    (Inn(), "21503198512345"),
    (Choice(("day", "month")), "day"),
    (Secret(4), "0000"),
    (Flag(), False),
    (ListOf({}, 1), [{}]),
]

UNFITTING: list[tuple[Type, object]] = [
    (Text(5), "123456"),
    (Text(5), "a\x00"),
    (Text(5), 5),
    (Msisdn(), "+77010000007"),
    (Msisdn(), "07010000007"),
    (Msisdn(), "٧٧٠١٠٠٠٠٠٠٧"),
    (Msisdn(), "77010000007\n"),
    (Money(), 5),
    (Money(), {"minor": 1.5, "currency": "KZT"}),
    (Money(), {"minor": True, "currency": "KZT"}),
    (Money(), {"minor": MONEY_MINOR_MOST + 1, "currency": "KZT"}),
    (Money(), {"minor": 1, "currency": "USD"}),
    (Money(), {"minor": 1, "currency": []}),
    (Money(), {"minor": 1, "currency": "KZT", "more": 1}),
    (Count(9), 10),
    (Count(9), -1),
    (Count(9), True),
    (Count(9), 1.0),
    (Day(), "2027-02-29"),
    (Day(), "2027-W01-1"),
    (Day(), "20270101"),
    (Instant(), "2026-03-31T09:30:00"),
    (Instant(), "2026-03-31T09:30:00+06:00"),
    (Instant(), "2026-03-31T25:30:00Z"),
    (Id(), ""),
    (Id(), "a" * 65),
    (Id(), "a b"),
    (Inn(), "2150319851234"),
    (Choice(("day", "month")), "year"),
    (Choice(("day", "month")), []),
    (Secret(4), "00000"),
    (Secret(4), ""),
    (Flag(), 1),
    (ListOf({}, 1), [{}, {}]),
    (ListOf({}, 1), {}),
]


@pytest.mark.parametrize(("kind", "value"), FITTING)
def test_a_value_of_the_type_fits(kind: Type, value: object) -> None:
    assert check_values({"it": value}, {"it": Field(kind, "")}, "arguments") == []


@pytest.mark.parametrize(("kind", "value"), [*UNFITTING, *((kind, None) for kind, _ in FITTING)])
def test_any_other_value_is_one_fault_with_its_path(kind: Type, value: object) -> None:
    [fault] = check_values({"it": value}, {"it": Field(kind, "", optional=True)}, "arguments")
    assert fault.field == "arguments.it"
    assert fault.what.startswith(("must ", "`minor`", "`currency`"))


def test_a_fault_never_repeats_a_secret() -> None:
    [fault] = check_values({"pin": "123456"}, {"pin": Field(Secret(4), "")}, "arguments")
    assert "123456" not in str(fault)


def test_what_is_missing_and_what_is_too_much_are_faults() -> None:
    assert check_values({"langage": "ru"}, SET_LANGUAGE.arguments, "arguments") == [
        Fault("arguments.language", "is missing"),
        Fault("arguments.langage", "is not known here"),
    ]


def test_results_of_a_newer_core_are_passed_over_and_left_behind() -> None:
    newer = {"network": "o", "brand": "O!", "status": "active", "since": 2031}
    assert check_values(newer, HELLO.results, "done", more_allowed=True) == []
    assert only_known(newer, HELLO.results) == {"network": "o", "brand": "O!", "status": "active"}


def test_a_fault_inside_a_list_is_named_by_its_position() -> None:
    fields = {"items": Field(ListOf({"id": Field(Id(), "")}, 9), "")}
    faults = check_values({"items": [{"id": "a"}, {"id": ""}, 7]}, fields, "done")
    assert [fault.field for fault in faults] == ["done.items[1].id", "done.items[2]"]
