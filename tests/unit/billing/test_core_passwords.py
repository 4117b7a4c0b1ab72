"""Passwords: made without letters that look alike, hashed under salt and pepper, in a bounded queue."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from billing_core.passwords import ALPHABET, Busy, Hasher, PepperGone, is_weak, make_password, pepper_id

PEPPER = b"pepper of these tests, long enough"
NEW_PEPPER = b"pepper of these tests, the next"


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    made = Hasher(PEPPER)
    yield made
    made.close()


def test_a_made_password_has_ten_characters_of_31_that_nobody_mixes_up_and_is_never_the_same() -> None:
    made = {make_password() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(password) for password in made} == {10}
    assert set("".join(made)) == set(ALPHABET)
    assert (len(ALPHABET), len(set(ALPHABET) & set("0o1lioIO"))) == (31, 0)


@pytest.mark.parametrize(
    "password",
    [
        "k7wq29xnp",
        "aabbaabbaabb",
        "My-Password-77",
        "Қатты-Құпиясөз",
        "+77010000007!",
        "xy0123456789",
        "zyxwvutsrq",
        "Qwertyuiop[]",
    ],
)
def test_a_short_or_usual_password_is_weak(password: str) -> None:
    assert is_weak(password, "77010000007")


@pytest.mark.parametrize("password", ["k7wq29xnpa", "Бір екі үш төрт", "correct horse battery", "🐎🔋📎🧲🧷🧵🪡🧶🪢🧭"])
def test_a_long_password_of_whatever_letters_is_not(password: str) -> None:
    assert not is_weak(password, "77010000007")


async def test_a_hash_is_argon2id_with_19_mib_and_two_passes_and_never_the_same(hasher: Hasher) -> None:
    one, other = await hasher.hash("k7wq29xnpa"), await hasher.hash("k7wq29xnpa")
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1,keyid=")
    assert one != other


async def test_the_same_password_hashed_like_a_stored_one_is_equal_and_another_is_not(hasher: Hasher) -> None:
    stored = await hasher.hash("ｋ７wq29xnpa")  # as some keyboards write it
    assert await hasher.like(stored, "k7wq29xnpa") == stored
    assert await hasher.like(stored, "k7wq29xnpb") != stored


async def test_under_another_pepper_nothing_is_even_tried(hasher: Hasher) -> None:
    stored = await hasher.hash("k7wq29xnpa")
    other = Hasher(NEW_PEPPER)
    with pytest.raises(PepperGone, match=re.escape(pepper_id(PEPPER))):
        await other.like(stored, "k7wq29xnpa")
    other.close()


async def test_a_changed_pepper_still_compares_what_the_old_one_hashed_and_calls_it_outdated(hasher: Hasher) -> None:
    stored = await hasher.hash("k7wq29xnpa")
    changed = Hasher(NEW_PEPPER, older=[PEPPER])
    assert await changed.like(stored, "k7wq29xnpa") == stored
    assert await changed.like(stored, "k7wq29xnpb") != stored
    assert changed.is_outdated(stored)
    assert not changed.is_outdated(await changed.hash("k7wq29xnpa"))
    assert not hasher.is_outdated(stored)
    changed.close()


async def test_a_hash_that_names_no_pepper_is_of_the_oldest(hasher: Hasher) -> None:
    stored = await hasher.hash("k7wq29xnpa")
    nameless = stored.replace(f",keyid={pepper_id(PEPPER)}", "")
    changed = Hasher(NEW_PEPPER, older=[PEPPER])
    for each in (hasher, changed):
        assert each.is_outdated(nameless)
        assert await each.like(nameless, "k7wq29xnpa") == nameless
    changed.close()


async def test_a_hash_of_a_lower_cost_is_outdated(hasher: Hasher) -> None:
    cheap = Hasher(PEPPER, memory_kib=8, passes=1)
    assert hasher.is_outdated(await cheap.hash("k7wq29xnpa"))
    cheap.close()


async def test_more_than_may_wait_is_refused_and_a_place_that_was_given_up_is_free_again() -> None:
    hasher = Hasher(PEPPER, waiting_max=3)
    hashing = [asyncio.create_task(hasher.hash("k7wq29xnpa")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await hasher.hash("k7wq29xnpa")
    hashing[2].cancel()
    await asyncio.gather(*hashing, return_exceptions=True)
    assert await hasher.hash("k7wq29xnpa")
    hasher.close()
