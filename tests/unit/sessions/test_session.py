"""A session's octets: what is written is read back, and what is not ours is refused."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from sessions.session import (
    FORMAT,
    OCTETS_MAX,
    Pending,
    Session,
    SessionTooLarge,
    UnreadableSession,
    dialogue_prefix,
    from_octets,
    stamp_of,
    to_octets,
)

SESSION = Session(
    id="s1", msisdn="77010000007", link="l", reference="", network="kcell", brand="Kcell", status="active",
    language="kk", service="self_service", menu="abc", started_at=1.5, turn=2, version=3, screen="root", first=4,
    history=(("root", 0), ("list", 7)), values={"a": {"id": "x", "n": 5}, "b": "ғ"}, tries=1, parts=("3",),
    pending=Pending("root", "balance", "id-1", "balances.get", {}), shown="Баланс", ended=False, input_mark="c1/2-3",
)  # fmt: skip


def test_a_session_is_read_back_as_it_was_written() -> None:
    assert from_octets(to_octets(SESSION)) == SESSION


def test_the_header_tells_state_and_input_without_reading_the_body() -> None:
    octets = to_octets(SESSION)
    assert octets.startswith(stamp_of(SESSION).prefix())
    assert octets.startswith(dialogue_prefix("s1"))
    assert octets.split(b"\n", 1)[0] == b"%d s1 3 c1/2-3" % FORMAT


def test_another_version_has_another_prefix() -> None:
    assert not to_octets(replace(SESSION, version=30)).startswith(stamp_of(SESSION).prefix())


def test_a_session_over_the_limit_is_refused() -> None:
    with pytest.raises(SessionTooLarge, match="self_service"):
        to_octets(replace(SESSION, values={"a": random.Random(1).randbytes(OCTETS_MAX).hex()}))


@pytest.mark.parametrize("octets", [b"", b"9 s1 3 m\n\x90", b"1 s1 3 m\n\x90", b"1 s1 3 m\n\xff\xff", b"hello"])
def test_what_is_no_session_of_this_format_is_unreadable(octets: bytes) -> None:
    with pytest.raises(UnreadableSession):
        from_octets(octets)


def test_a_large_session_is_compressed_and_reads_back() -> None:
    items = [{"id": f"i{n}", "name": f"Тариф номер {n}", "price": {"minor": n, "currency": "KZT"}} for n in range(98)]
    session = replace(SESSION, values={"offers": {"items": items}})
    octets = to_octets(session)
    assert len(octets) < 4096
    assert octets.startswith(stamp_of(session).prefix())
    assert from_octets(octets) == session


def test_damage_in_a_compressed_session_is_told() -> None:
    octets = to_octets(replace(SESSION, values={"text": "слово " * 1000}))
    with pytest.raises(UnreadableSession):
        from_octets(octets[:-200] + b"\0" * 200)
