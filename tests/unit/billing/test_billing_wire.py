"""Answers of HTTP become outcomes, and nothing doubtful becomes a sure one."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.calls import Call, Done, NotMade, Refused, Unknown
from billing.contract import OPERATIONS, Field, Money
from billing.wire import read_answer, read_request, request_octets

BALANCES = OPERATIONS["balances.get"]
SUM = {"minor": 123450, "currency": "KZT"}


def octets(value: object) -> bytes:
    return json.dumps(value).encode()


def test_what_is_sent_is_what_is_read() -> None:
    call = Call("6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", "calls.status", "77010000007", "kk", {"call": "x"})
    read = read_request(request_octets(call))
    assert (str(read.id), read.msisdn, read.language, read.arguments) == (call.id, "77010000007", "kk", {"call": "x"})


def test_that_the_answer_is_wanted_by_sms_travels_and_is_left_out_otherwise() -> None:
    call = Call("6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", "cabinet.temporary_password", "77010000007", "kk", {})
    assert b"by_sms" not in request_octets(call)
    assert not read_request(request_octets(call)).by_sms
    assert read_request(request_octets(call._replace(by_sms=True))).by_sms


def test_done_by_the_contract_is_done() -> None:
    answer = read_answer(BALANCES, 200, octets({"done": {"balance": SUM, "bonuses": SUM, "new": 1}}))
    assert answer == Done({"balance": SUM, "bonuses": SUM})


def test_a_refusal_keeps_its_code_even_one_this_contract_lacks() -> None:
    assert read_answer(BALANCES, 200, octets({"refused": {"code": "BLOCKED"}})) == Refused("BLOCKED", {})
    assert read_answer(BALANCES, 200, octets({"refused": {"code": "NEW_REASON"}})) == Refused("NEW_REASON", {})


def test_a_refusal_carries_the_details_that_the_contract_knows_and_that_fit() -> None:
    operation = dataclasses.replace(BALANCES, details={"missing": Field(Money(), "", optional=True)})
    fitting = {"refused": {"code": "NO_FUNDS", "details": {"missing": SUM, "other": 1}}}
    assert read_answer(operation, 200, octets(fitting)) == Refused("NO_FUNDS", {"missing": SUM})
    unfitting = {"refused": {"code": "NO_FUNDS", "details": {"missing": 5}}}
    assert read_answer(operation, 200, octets(unfitting)) == Refused("NO_FUNDS", {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 60_000,
        b'{"done":' + b'{"a":' * 10_000,
        octets([]),
        octets({}),
        octets({"done": {}}),
        octets({"done": None}),
        octets({"done": {"balance": 1.5, "bonuses": SUM}}),
        octets({"done": {"balance": SUM, "bonuses": SUM}, "refused": {"code": "BLOCKED"}}),
        octets({"refused": {"code": "not a code"}}),
        octets({"refused": "BLOCKED"}),
    ],
)
def test_a_200_that_is_neither_done_nor_refused_is_unknown(body: bytes) -> None:
    assert isinstance(read_answer(BALANCES, 200, body), Unknown)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 429])
def test_a_request_that_was_turned_away_was_not_made(status: int) -> None:
    problem = {"title": "No", "status": status, "invalid_params": [{"field": "msisdn", "reason": "must be digits"}]}
    answer = read_answer(BALANCES, status, octets(problem))
    assert isinstance(answer, NotMade)
    assert "msisdn must be digits" in answer.why


def test_a_503_is_not_made_only_when_the_core_says_that_nothing_was_done() -> None:
    sure = octets({"title": "The database does not serve now", "status": 503, "not_done": True})
    assert isinstance(read_answer(BALANCES, 503, sure), NotMade)
    assert isinstance(read_answer(BALANCES, 503, octets({"title": "?", "status": 503})), Unknown)
    assert isinstance(read_answer(BALANCES, 503, b"upstream connect error"), Unknown)


@pytest.mark.parametrize("status", [201, 204, 302, 303, 307, 408, 500, 502, 504, 599])
def test_any_other_status_is_unknown_whatever_the_body_says(status: int) -> None:
    done = octets({"done": {"balance": SUM, "bonuses": SUM}, "not_done": True, "title": "", "status": status})
    assert isinstance(read_answer(BALANCES, status, done), Unknown)


@given(status=st.integers(100, 599), body=st.binary())
def test_noise_never_raises_and_never_says_done_or_refused(status: int, body: bytes) -> None:
    assert isinstance(read_answer(BALANCES, status, body), Unknown | NotMade)


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"arguments":' + b'{"a":' * 10_000, b"\xff", b"{"])
def test_a_request_that_is_no_json_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_request(body)
