"""Octets that real peers sent, and what they mean: every one is read, or refused as its policy says.

`tests/data/pdu_vectors.json` was gathered from public test suites and issue threads, and checked with two decoders.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smpp import constants as c
from smpp.codec import decode, encode
from smpp.connection import Closing, Connection, Event, Quirk
from smpp.errors import (
    QUIRK_BODY_ON_ERROR,
    QUIRK_NO_BODY,
    QUIRK_TLV_OVERRUN,
    QUIRK_TRAILING_OCTETS,
    QUIRK_UNKNOWN_RESPONSE,
    QUIRK_UNTERMINATED,
    PduError,
)
from smpp.limits import Limits
from smpp.pdu import DistributionList, Pdu, SmeAddress, Tlv
from smpp.states import Role

_DATA = json.loads((Path(__file__).parents[2] / "data" / "pdu_vectors.json").read_text())
VECTORS: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in _DATA["vectors"]}
STREAMS: dict[str, list[str]] = {case["id"]: case["chunks"] for case in _DATA["stream_cases"]}

# what the policies of the vectors ask for, where it is not to decode quietly
REFUSED = {"v001": c.ESME_RINVCMDLEN, "v048": c.ESME_RINVOPTPARSTREAM}
QUIRK_WORDS = {"no_body": QUIRK_NO_BODY, "body_on_error": QUIRK_BODY_ON_ERROR, "trailing_bytes": QUIRK_TRAILING_OCTETS}
TOLERATED = {"v092": [QUIRK_TLV_OVERRUN], "v181": [QUIRK_UNTERMINATED]}
TOO_LONG_TO_WRITE = {"v038", "v072"}  # service_type of seven octets: read, but never written by us
TLVS_KEPT = {"v092": [Tlv(0x0427, b"\x02")]}


def plain(value: Any) -> Any:
    """A field as the vectors spell it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        flag = {SmeAddress: {"dest_flag": 1}, DistributionList: {"dest_flag": 2}}.get(type(value), {})
        return flag | value._asdict()
    return [plain(entry) for entry in value] if isinstance(value, tuple) else value


def fields_of(pdu: Pdu) -> dict[str, Any]:
    fields = {name: plain(value) for name, value in pdu._asdict().items()}  # type: ignore[attr-defined]
    for common in ("tlvs", "sequence_number", "command_status"):
        del fields[common]
    if "short_message" in fields:
        fields["short_message_hex"] = fields.pop("short_message")
        fields["sm_length"] = len(fields["short_message_hex"]) // 2
    return fields


@pytest.mark.parametrize("name", [name for name in VECTORS if name not in REFUSED])
def test_a_vector_means_what_it_says(name: str) -> None:
    vector = VECTORS[name]
    quirks: list[str] = []
    pdu = decode(bytes.fromhex(vector["hex"]), quirks.append)

    assert c.command_name(pdu.command_id) == vector["command"]
    assert pdu.command_id == int(vector["command_id"], 16)
    assert pdu.sequence_number == vector["sequence_number"]
    assert pdu.command_status == vector["command_status"]
    words = [word.split(":")[0] for word in vector.get("quirks", ()) if word != "no_body_on_error"]
    assert quirks == TOLERATED.get(name, [QUIRK_WORDS[word] for word in words])
    if name not in TOLERATED:
        expected = [Tlv(int(tlv["tag"], 16), bytes.fromhex(tlv["value_hex"])) for tlv in vector.get("tlvs", ())]
        assert list(pdu.tlvs) == expected
    if "fields" in vector and vector["fields"] is not None:
        assert fields_of(pdu) == vector["fields"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_vector_is_refused_with_the_status_its_policy_names(name: str) -> None:
    with pytest.raises(PduError) as refused:
        decode(bytes.fromhex(VECTORS[name]["hex"]))
    assert refused.value.command_status == REFUSED[name]
    assert refused.value.command_id == int(VECTORS[name]["command_id"], 16)
    assert refused.value.sequence_number == VECTORS[name]["sequence_number"]


@pytest.mark.parametrize(
    "name", [n for n, v in VECTORS.items() if n not in REFUSED | TOLERATED and not v.get("quirks")]
)
def test_a_clean_vector_is_written_as_it_came(name: str) -> None:
    octets = bytes.fromhex(VECTORS[name]["hex"])
    if name in TOO_LONG_TO_WRITE:
        with pytest.raises(ValueError, match="service_type"):
            encode(decode(octets))
    else:
        assert encode(decode(octets)).hex() == octets.hex()


def test_a_receipt_with_a_tlv_too_long_keeps_the_text_and_the_tlvs_before() -> None:
    pdu = decode(bytes.fromhex(VECTORS["v092"]["hex"]))
    assert list(pdu.tlvs) == TLVS_KEPT["v092"]
    assert fields_of(pdu)["short_message_hex"].startswith(b"id:0000003005 sub:001".hex())


def test_a_message_id_without_its_nul_is_the_rest_of_the_pdu() -> None:
    assert fields_of(decode(bytes.fromhex(VECTORS["v181"]["hex"]))) == {"message_id": "9"}


# --- stream cases ---

NACK_OF_LENGTH = "00000010800000000000000200000000"


@pytest.mark.parametrize(
    ("case", "events", "written"),
    [
        ("s01", [], ""),
        ("s03", [], ""),
        ("s05", [Quirk(QUIRK_UNKNOWN_RESPONSE)], ""),
        ("s07", [Closing("bad_length")], NACK_OF_LENGTH),
        ("s09", [], "00000010800000150000000080000000"),
        ("s11", [Closing("bad_length")], NACK_OF_LENGTH),
        ("s13", [Closing("bad_length")], NACK_OF_LENGTH),
    ],
)
def test_a_stream_case(case: str, events: list[Event], written: str) -> None:
    connection = Connection(Role.SERVER, Limits(), 0.0)
    told = [event for chunk in STREAMS[case] for event in connection.receive(bytes.fromhex(chunk), 0.0)]
    assert told == events
    assert connection.take_octets().hex() == written


def test_every_stream_case_has_its_test() -> None:
    assert set(STREAMS) == {"s01", "s03", "s05", "s07", "s09", "s11", "s13"}
