"""Secrets that wait in a row: opened with the same key for the same row, and in no other way."""

from __future__ import annotations

import uuid

import pytest

from billing_core.sealing import Seal, SealBroken

ROW, OTHER_ROW = uuid.UUID(int=1), uuid.UUID(int=2)
SEAL = Seal(b"0123456789abcdef0123456789abcdef")
SECRETS = {"password": "k7wq29xnpa"}


def test_what_was_sealed_for_a_row_opens_for_it_and_shows_nothing() -> None:
    sealed = SEAL.seal(ROW, SECRETS)
    assert SEAL.open(ROW, sealed) == SECRETS
    assert b"k7wq29xnpa" not in sealed
    assert sealed != SEAL.seal(ROW, SECRETS)


@pytest.mark.parametrize("octet", [0, 12, -1])
def test_an_octet_that_was_changed_breaks_it(octet: int) -> None:
    sealed = bytearray(SEAL.seal(ROW, SECRETS))
    sealed[octet] ^= 1
    with pytest.raises(SealBroken):
        SEAL.open(ROW, bytes(sealed))


def test_a_key_that_was_changed_still_opens_what_it_has_sealed() -> None:
    new = b"the key that comes after it, long enough"
    changed = Seal(new, b"0123456789abcdef0123456789abcdef")
    assert changed.open(ROW, SEAL.seal(ROW, SECRETS)) == SECRETS
    assert Seal(new).open(ROW, changed.seal(ROW, SECRETS)) == SECRETS
    with pytest.raises(SealBroken):
        SEAL.open(ROW, changed.seal(ROW, SECRETS))


def test_another_row_another_key_and_a_stump_do_not_open_it() -> None:
    sealed = SEAL.seal(ROW, SECRETS)
    for seal, row, octets in (
        (SEAL, OTHER_ROW, sealed),
        (Seal(b"another key that is long enough"), ROW, sealed),
        (SEAL, ROW, sealed[:11]),
        (SEAL, ROW, b""),
    ):
        with pytest.raises(SealBroken) as error:
            seal.open(row, octets)
        assert "k7wq29xnpa" not in str(error.value)
