"""Two hundred thousand cases of octets changed at random, and streams so long that work must be linear in them."""

from __future__ import annotations

import time

import pytest

from smpp import constants as c
from smpp import pdu as p
from smpp.codec import encode
from smpp.connection import Closing, Connection, RequestReceived
from smpp.limits import Limits
from smpp.states import Role
from tests.fuzz.__main__ import fresh_seed, replay, run
from tests.fuzz.mutation import make_case

CASES = 100_000
SEED = 20261125
MEGABYTE = 1 << 20
COST_MAX = 5.0  # of four times the octets


@pytest.mark.parametrize("seed", [SEED, fresh_seed()], ids=["fixed", "fresh"])
def test_any_octets_are_taken_alike_whole_and_in_pieces(seed: int) -> None:
    """A case that fails is printed, with the command that runs it again."""
    run(CASES, seed)


def test_a_case_is_made_of_its_seed_and_number_alone() -> None:
    assert make_case(3, 4) == make_case(3, 4)
    assert make_case(3, 4) != make_case(3, 5)
    assert make_case(3, 4) != make_case(4, 4)


def test_a_case_that_failed_is_printed_with_the_command_that_runs_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses_the_third(case: object) -> None:
        assert case != make_case(9, 2)

    monkeypatch.setattr("tests.fuzz.__main__.judge", refuses_the_third)
    with pytest.raises(AssertionError):
        run(5, 9)
    printed = capsys.readouterr().out
    assert make_case(9, 2).stream.hex() in printed
    assert "python -m tests.fuzz --seed 9 --only 2" in printed


@pytest.mark.parametrize("octets", ["", "00", "0000001000000015000000000000000248545450"])
def test_octets_can_be_replayed_in_every_situation(octets: str) -> None:
    replay(bytes.fromhex(octets))


# --- streams of many octets ---


def bound_server() -> Connection:
    connection = Connection(Role.SERVER, Limits(message_payload_allowed=True), 0.0)
    connection.receive(encode(p.BindTransceiver("a", sequence_number=1)), 0.0)
    connection.accept_bind("b")
    connection.take_octets()
    return connection


LONG = encode(p.SubmitSm(tlvs=(p.Tlv(c.TAG_MESSAGE_PAYLOAD, b"x" * 60_000),), sequence_number=2))
USUAL = encode(p.SubmitSm("USSD", 1, 1, "996700123456", short_message=b"x" * 200, sequence_number=3))
ENQUIRE = encode(p.EnquireLink(sequence_number=4))
MIXED = LONG * 2 + USUAL * 30 + ENQUIRE * 100  # the long ones cross every chunk of 64 KiB


def cpu_seconds(block: bytes, octets: int, chunk: int) -> float:
    """Processor time of a stream of so many octets in chunks; it is answered, and what is to be written is taken."""
    stream = memoryview(block * (octets // len(block) + 1))[:octets]
    connection = bound_server()
    begun = time.process_time()
    for at in range(0, octets, chunk):
        for event in connection.receive(bytes(stream[at : at + chunk]), 0.0):
            assert not isinstance(event, Closing)
            if isinstance(event, RequestReceived):
                connection.respond(event.pdu, c.ESME_ROK)
        connection.take_octets()
    return time.process_time() - begun


@pytest.mark.parametrize(
    ("block", "octets", "chunk"),
    [
        pytest.param(MIXED, 16 * MEGABYTE, 65_536, id="16 MB in chunks of 64 KiB"),
        pytest.param(MIXED, 16 * MEGABYTE, 16 * MEGABYTE, id="16 MB in chunks of 16 MB"),
        pytest.param(LONG, 2 * MEGABYTE, 16, id="2 MB by 16 octets"),
        pytest.param(ENQUIRE, MEGABYTE, 15, id="1 MB of enquire_link by 15 octets"),
    ],
)
def test_a_stream_four_times_as_long_costs_at_most_five_times_as_much(block: bytes, octets: int, chunk: int) -> None:
    """The least of three, because a machine may be busy; with quadratic work it would be sixteen times."""
    ratios = (cpu_seconds(block, 4 * octets, chunk) / cpu_seconds(block, octets, chunk) for _ in range(3))
    assert any(ratio <= COST_MAX for ratio in ratios)
