"""The conformance kit beside the wire: its samples, and how it judges answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing.calls import Done, Refused
from billing.conformance import samples
from billing.conformance.__main__ import main
from billing.conformance.asking import Answer, Client
from billing.conformance.door import difference
from billing.conformance.ground import Wallet
from billing.conformance.judging import not_turned_away, outcome
from billing.conformance.running import ALL
from billing.contract import OPERATIONS, Operation, Secret, check_values
from billing.wire import JSON_TYPE, PROBLEM_TYPE

EVERY = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)


def answer(body: object, status: int = 200, kind: str = JSON_TYPE, **headers: str) -> Answer:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {"content-type": kind, **headers}, octets)


# --- samples ----------------------------------------------------------------------------------------------------------


@EVERY
def test_what_is_good_fits_and_what_is_bad_does_not(operation: Operation) -> None:
    given = samples.arguments(operation)
    assert check_values(given, operation.arguments, "arguments") == []
    for name, field in operation.arguments.items():
        for bad in samples.bad(field.type):
            faults = check_values({**given, name: bad.value}, operation.arguments, "arguments")
            assert [fault.field for fault in faults] == [f"arguments.{name}"], bad.what
            assert type(bad.value) is not str or bad.value not in bad.what or bad.value == ""


@EVERY
def test_other_arguments_fit_and_have_the_same_secrets(operation: Operation) -> None:
    given, other = samples.arguments(operation), samples.other_arguments(operation)
    are_open = operation.arguments.keys() - set(samples.secrets(operation))
    assert (other is None) == (not are_open)
    if other is not None:
        assert check_values(other, operation.arguments, "arguments") == []
        assert other != given
        assert all(other[name] == given[name] for name in samples.secrets(operation))


def test_two_secrets_differ_in_their_first_character() -> None:
    assert samples.good(Secret(1)) != samples.another(Secret(1))


# --- judging ----------------------------------------------------------------------------------------------------------

BALANCE = {"minor": 1, "currency": "KZT"}


def test_an_answer_by_the_contract_is_read() -> None:
    done = {"balance": BALANCE, "bonuses": BALANCE, "of_a_newer_core": 1}
    assert outcome("balances.get", answer({"done": done})) == Done(done)
    assert outcome("balances.get", answer({"refused": {"code": "BLOCKED"}})) == Refused("BLOCKED", {})
    until = {"until": "2027-03-31T06:30:00Z"}
    refused = answer({"refused": {"code": "LOCKED", "details": until}}, kind=f"{JSON_TYPE}; charset=utf-8")
    assert outcome("cabinet.login", refused) == Refused("LOCKED", until)


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (answer({"done": {}}, 201), "200 with `done` or `refused`"),
        (answer({"done": {}}, kind="text/html"), f"200 with `done` or `refused` as {JSON_TYPE}"),
        (answer(b" " * 70_000), "an answer of at most 65536 octets"),
        (answer(b"{"), "an object with either `done` or `refused`"),
        (answer({"done": {}, "refused": {}}), "an object with either `done` or `refused`"),
        (answer({"done": []}), "`done` is an object"),
        (answer({"done": {"balance": BALANCE}}), "done.bonuses is missing"),
        (answer({"refused": "BLOCKED"}), "refused with one of UNKNOWN_NUMBER, BLOCKED, CLOSED, NOT_MANAGED"),
        (answer({"refused": {"code": "BARRED"}}), "refused with one of UNKNOWN_NUMBER, BLOCKED, CLOSED, NOT_MANAGED"),
        (answer({"refused": {"code": "CLOSED", "details": []}}), "`details` is an object"),
        (answer({"refused": {"code": "CLOSED", "details": {"x": 1}}}), "refused.details.x is not known here"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_told_in_words(came: Answer, expected: str) -> None:
    assert outcome("balances.get", came) == expected


def test_an_operation_that_is_never_refused_says_so() -> None:
    assert outcome("calls.status", answer({"refused": {"code": "CLOSED"}})) == "an operation that is never refused"


PROBLEM = {"title": "A field does not fit", "status": 422, "invalid_params": [{"field": "arguments.sum.minor"}]}


def test_a_problem_names_the_field_or_a_part_of_it() -> None:
    came = answer(PROBLEM, 422, PROBLEM_TYPE)
    assert not_turned_away("a call", 422, came, "arguments.sum") == []
    [breach] = not_turned_away("a call", 422, came, "arguments.su")
    assert breach.expected == f"422 as {PROBLEM_TYPE}, naming arguments.su in invalid_params"
    assert breach.came.startswith(f"422 {PROBLEM_TYPE}: ")


@pytest.mark.parametrize(
    "came",
    [
        answer(PROBLEM, 400, PROBLEM_TYPE),
        answer(PROBLEM, 422, JSON_TYPE),
        answer({**PROBLEM, "status": 400}, 422, PROBLEM_TYPE),
        answer({"status": 422}, 422, PROBLEM_TYPE),
        answer(b"", 422, PROBLEM_TYPE),
        answer({**PROBLEM, "invalid_params": [None, {"field": 5}]}, 422, PROBLEM_TYPE),
        answer({**PROBLEM, "invalid_params": {}}, 422, PROBLEM_TYPE),
        Answer(0, {}, b"TimeoutError"),
    ],
)
def test_what_is_no_such_problem_is_a_breach(came: Answer) -> None:
    assert len(not_turned_away("a call", 422, came, "arguments.sum")) == 1


def test_a_401_tells_how_to_sign() -> None:
    problem: dict[str, Any] = {"title": "Not signed", "status": 401}
    told = {"www-authenticate": "HMAC-SHA256"}
    assert not_turned_away("a call", 401, answer(problem, 401, PROBLEM_TYPE, **told)) == []
    [breach] = not_turned_away("a call", 401, answer(problem, 401, PROBLEM_TYPE))
    assert breach.came.endswith("; www-authenticate: absent")


def test_two_documents_differ_where_they_do_first() -> None:
    ours = {"a": [1, {"b": True}], "c": None}
    assert difference(ours, json.loads(json.dumps(ours))) is None
    assert difference(ours, {"a": [1, {"b": 1}], "c": None}) == "/a/1/b"
    assert difference(ours, {"a": [1], "c": None}) == "/a"
    assert difference(ours, {**ours, "d": 1}) == "/d"
    assert difference(ours, None) == "/"


# --- what is said -----------------------------------------------------------------------------------------------------


def test_promises_have_names_of_their_own_and_say_what_they_are() -> None:
    assert len({promise.name for promise in ALL}) == len(ALL)
    assert all(promise.means.endswith(".") for promise in ALL)


def test_neither_keys_nor_pins_are_printed() -> None:
    assert "key" not in repr(Client("engine", b"key"))
    wallet = Wallet("996555000007", "4640")
    assert "4640" not in repr(wallet)
    assert wallet.wrong_pin == "4641"
    assert Wallet("996555000007", "4641").wrong_pin == "4642"


def test_the_help_says_what_is_done_to_the_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    for part in ("harmless", "examples:", samples.NOBODY, "--other-client", "--wallet", "--json"):
        assert part in said
