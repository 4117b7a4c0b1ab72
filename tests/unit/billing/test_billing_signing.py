"""Signed requests: what fits passes, whatever was altered does not."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.signing import SigningError, key_from_file, keys_from_file, sign, verify

KEY = b"0123456789abcdef0123456789abcdef"
PATH = "/v1/operations/balances.get"
NOW = 1_763_762_400.75


def verified(
    *, header: str | None, method: str = "POST", path: str = PATH, body: bytes = b"{}", now: float = NOW
) -> str:
    return verify({"engine": (KEY,)}, method, path, header, body, now, 60)


def header_of(client: str = "engine", key: bytes = KEY, now: float = NOW) -> str:
    return sign(client, key, "POST", PATH, b"{}", now)["Authorization"]


def test_the_signature_is_the_one_that_openssl_computes() -> None:
    # printf 'POST\n/v1/operations/balances.get\n1763762400\n{}' | openssl dgst -sha256 -hmac 0123456789abcdef…
    expected = "bfd25daf62612ffd2613258b04b76c9d8a23fbffd3ae089e8f854d721d3834b0"
    assert header_of() == f"HMAC-SHA256 engine:1763762400:{expected}"


def test_a_signed_request_passes_under_the_name_of_its_client() -> None:
    assert verified(header=header_of()) == "engine"


@pytest.mark.parametrize(
    "altered", [{"method": "PUT"}, {"path": "/v1/operations/balances.set"}, {"body": b"{ }"}, {"body": b""}]
)
def test_a_request_altered_after_it_was_signed_is_refused(altered: dict[str, object]) -> None:
    with pytest.raises(SigningError, match="does not fit"):
        verified(header=header_of(), **altered)  # type: ignore[arg-type]


@given(st.binary())
def test_no_other_body_passes_under_a_signature(body: bytes) -> None:
    if body != b"{}":
        with pytest.raises(SigningError):
            verified(header=header_of(), body=body)


def test_a_signature_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append((one, other)) or one == other)
    header = header_of()
    verified(header=header)
    assert compared == [(header[-64:], header[-64:])]


def test_an_unknown_client_and_a_wrong_key_get_the_same_answer() -> None:
    with pytest.raises(SigningError) as unknown:
        verified(header=header_of(client="stranger"))
    with pytest.raises(SigningError) as wrong:
        verified(header=header_of(key=b"another key that is long enough"))
    assert str(unknown.value) == str(wrong.value)


def test_the_key_that_stands_in_for_unknown_clients_opens_nothing() -> None:
    with pytest.raises(SigningError):
        verified(header=header_of(client="stranger", key=b"the key of no client at all ...."))


@pytest.mark.parametrize(("now", "words"), [(NOW + 62, "63 s ago"), (NOW - 62, "in the future")])
def test_a_request_of_another_time_is_refused_and_told_how_far_off(now: float, words: str) -> None:
    with pytest.raises(SigningError, match=words):
        verified(header=header_of(), now=now)


def test_a_request_within_the_skew_passes_on_both_sides() -> None:
    assert verified(header=header_of(), now=NOW + 59) == verified(header=header_of(), now=NOW - 59) == "engine"


def test_the_second_cannot_be_moved_without_the_key() -> None:
    moved = header_of().replace(":1763762400:", ":1763762460:")
    with pytest.raises(SigningError, match="does not fit"):
        verified(header=moved, now=NOW + 60)


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic dTpw", "HMAC-SHA256 engine", "HMAC-SHA256 engine:x:00", "HMAC-SHA256 :1:" + "0" * 64, "x" * 9999],
)
def test_a_header_that_is_missing_or_garbled_is_refused(header: str | None) -> None:
    with pytest.raises(SigningError, match="Authorization"):
        verified(header=header)


def test_a_client_whose_key_is_being_changed_may_sign_with_either() -> None:
    new = b"the key that comes after it ...."
    keys = {"engine": (new, KEY), "desk": (b"the key of somebody else alone..",)}
    for key in (new, KEY):
        assert verify(keys, "POST", PATH, header_of(key=key), b"{}", NOW, 60) == "engine"
    for key in (b"the key of no client at all ....", b"the key of somebody else alone..", b"another key, long enough"):
        with pytest.raises(SigningError, match="does not fit"):
            verify(keys, "POST", PATH, header_of(key=key), b"{}", NOW, 60)
    with pytest.raises(SigningError, match="does not fit"):
        verify(keys, "POST", PATH, header_of("desk", b"the key of no client at all ...."), b"{}", NOW, 60)


def test_a_key_file_of_text_has_a_key_a_line_the_one_in_use_first() -> None:
    assert keys_from_file(b"new-0123456789abcdef\r\n\nold-0123456789abcdef\n") == (
        b"new-0123456789abcdef",
        b"old-0123456789abcdef",
    )
    assert key_from_file(b"new-0123456789abcdef\nold-0123456789abcdef") == b"new-0123456789abcdef"


def test_octets_that_are_no_text_are_one_key_whatever_is_in_them() -> None:
    octets = b"\x00\xff\n" + bytes(range(29))
    assert keys_from_file(octets) == (octets,)


@pytest.mark.parametrize(
    ("octets", "words"),
    [(b"", "at least 16"), (b"\n\n", "at least 16"), (b"0123456789abcdef\nshort", "one of 5"), (KEY * 5, "")],
)
def test_each_of_the_keys_is_long_enough_and_they_are_few(octets: bytes, words: str) -> None:
    if words:
        with pytest.raises(ValueError, match=words):
            keys_from_file(octets)
    with pytest.raises(ValueError, match="4 keys at most, this one 5"):
        keys_from_file(b"\n".join([KEY] * 5))


def test_a_key_file_may_end_in_a_line_end_and_must_not_be_short() -> None:
    assert key_from_file(b"0123456789abcdef\r\n") == b"0123456789abcdef"
    with pytest.raises(ValueError, match="at least 16"):
        key_from_file(b"secret\n")
