"""Notices on the wire: what is written is what is read, and anything else is told by field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.contract import OPERATIONS
from billing.events import EVENTS
from billing.notices import Notice, NoticeError, from_octets, to_octets

PASSWORD = Notice(
    id="6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001",
    msisdn="77010000007",
    network="kcell",
    event="cabinet.temporary_password",
    language="",
    arguments={"password": "k7wq29xnpa", "valid_until": "2026-03-31T09:30:00Z"},
    not_after="2026-03-30T09:40:00Z",
)


def changed(**changes: Any) -> bytes:
    body = json.loads(to_octets(PASSWORD)) | changes
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def test_what_is_written_is_what_is_read() -> None:
    assert from_octets(to_octets(PASSWORD)) == PASSWORD


def test_what_a_newer_core_adds_is_passed_over() -> None:
    arguments = {**PASSWORD.arguments, "colour": "green"}
    assert from_octets(changed(arguments=arguments, priority=3)) == PASSWORD


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "7"}, "id"),
        ({"id": "6F2B1F0E-6A2B-4A51-9A52-0A6F4F6F0001"}, "id"),
        ({"id": ...}, "id"),
        ({"msisdn": "+77010000007"}, "msisdn"),
        ({"msisdn": ...}, "msisdn"),
        ({"network": "vega"}, "network"),
        ({"event": "moon.landed"}, "event"),
        ({"event": ["a"]}, "event"),
        ({"language": "de"}, "language"),
        ({"language": None}, "language"),
        ({"not_after": "tomorrow"}, "not_after"),
        ({"arguments": []}, "arguments"),
        ({"arguments": {"password": "k7wq29xnpa"}}, "arguments.valid_until"),
        ({"arguments": {**PASSWORD.arguments, "password": "k7wq29xnpa" * 2}}, "arguments.password"),
    ],
)
def test_a_field_that_does_not_fit_is_named_and_its_value_is_not(change: dict[str, Any], field: str) -> None:
    with pytest.raises(NoticeError) as error:
        from_octets(changed(**change))
    assert [fault.field for fault in error.value.faults] == [field]
    assert "k7wq29xnpa" not in str(error.value)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"text"', b"[]", b"[" * 60_000, b'{"arguments":' * 9_000])
def test_what_is_no_json_object_is_one_fault_of_the_whole_body(body: bytes) -> None:
    with pytest.raises(NoticeError) as error:
        from_octets(body)
    assert [fault.field for fault in error.value.faults] == ["body"]


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(
    st.binary() | st.dictionaries(st.sampled_from(Notice._fields), _JSON).map(lambda body: json.dumps(body).encode())
)
def test_noise_is_never_taken_for_a_notice_and_raises_nothing_else(noise: bytes) -> None:
    with pytest.raises(NoticeError):
        from_octets(noise)


def test_a_notice_that_is_printed_shows_neither_its_arguments_nor_the_whole_number() -> None:
    printed = f"{PASSWORD}"
    assert "k7wq29xnpa" not in printed
    assert "77010000007" not in printed
    assert "cabinet.temporary_password" in printed


def test_which_secrets_are_sent_and_that_a_password_is_soon_too_old() -> None:
    assert {event.name: event.secrets for event in EVENTS.values() if event.secrets} == {
        "cabinet.temporary_password": {"password"},
        "statements.code": {"code"},
        "numbers.reserved": {"code"},
        "delegation.asked": {"code"},
        "delegation.activation": {"code"},
        "wallet.registered": {"pin"},
        "wallet.pin_reset": {"pin"},
    }
    assert EVENTS["cabinet.temporary_password"].seconds_valid == 600


def test_a_change_by_sms_is_answered_by_a_notice() -> None:
    answered = {name: operation.answer_notice for name, operation in OPERATIONS.items() if operation.answer_notice}
    assert answered == {
        "subscribers.set_language": "subscribers.language_set",
        "cabinet.temporary_password": "cabinet.temporary_password",
        "cabinet.change_password": "cabinet.password_changed",
        "delegation.confirm": "delegation.activation",
        "delegation.end": "delegation.ended",
    }
