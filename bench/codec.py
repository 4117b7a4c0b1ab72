"""How long one PDU takes to read and to write: `python -m bench.codec [--json]`.

The PDU is what a USSD turn costs: 125 octets with two TLVs. Numbers, session numbers and sequence numbers differ from
PDU to PDU, as they do on a link. A fixed loop of plain Python is timed beside each round, so that figures of different
machines, and of one machine on a busy day, can be compared: a figure is also given as a multiple of that loop.
Rounds alternate between the three, and the least of the rounds is the figure; the median shows how noisy the day was.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from smpp.codec import decode, encode
from smpp.constants import TAG_ITS_SESSION_INFO, TAG_USSD_SERVICE_OP
from smpp.pdu import DeliverSm, SubmitSm, Tlv

PDU_OCTETS: Final = 125
PDUS: Final = 1024
ROUNDS: Final = 60

_SCREEN: Final = b"1. Balance 2. Tariff 3. Internet 4. Roaming 5. Services 6. Offers 0. Language"


class Measured(NamedTuple):
    """Microseconds for one PDU, and for one calibration; `_calibrations` are multiples of the latter."""

    pdu_octets: int
    rounds: int
    decode_us: float
    decode_median_us: float
    decode_calibrations: float
    encode_us: float
    encode_median_us: float
    encode_calibrations: float
    calibration_us: float
    calibration_median_us: float


def sample_pdus() -> list[SubmitSm | DeliverSm]:
    """PDUs of a USSD dialogue, half of them submit_sm and half deliver_sm, each of `PDU_OCTETS` octets."""
    pdus: list[SubmitSm | DeliverSm] = []
    for number in range(PDUS):
        operation = Tlv(TAG_USSD_SERVICE_OP, bytes((2 if number % 2 else 18,)))
        session = Tlv(TAG_ITS_SESSION_INFO, (number * 40503 & 0xFFFE).to_bytes(2, "big"))
        empty = (DeliverSm if number % 2 else SubmitSm)(
            service_type="USSD",
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=f"99670{number * 7919 % 10_000_000:07}",
            dest_addr_npi=1,
            destination_addr="*111#",
            data_coding=15,
            tlvs=(operation, session),
            sequence_number=number + 1,
        )
        pdus.append(empty._replace(short_message=_SCREEN[: PDU_OCTETS - len(encode(empty))]))
    if {len(encode(pdu)) for pdu in pdus} != {PDU_OCTETS}:
        raise AssertionError("the sample is not what it says")
    return pdus


def calibrate(number: int) -> int:
    """A fixed amount of plain Python, near to what a PDU takes."""
    for step in range(25):
        number += step & 3
    return number


def each_us(work: Callable[..., object], items: Iterable[object]) -> float:
    """Microseconds that `work` takes for one of `PDUS` items."""
    begin = time.perf_counter()
    for item in items:
        work(item)
    return (time.perf_counter() - begin) / PDUS * 1e6


def measure() -> Measured:
    """Times reading, writing and the calibration loop in turn."""
    pdus = sample_pdus()
    octets = [encode(pdu) for pdu in pdus]
    rounds = [(each_us(decode, octets), each_us(encode, pdus), each_us(calibrate, range(PDUS))) for _ in range(ROUNDS)]
    decoded, encoded, calibrated = zip(*rounds, strict=True)
    loop = min(calibrated)
    figures = (
        *(min(decoded), statistics.median(decoded), min(decoded) / loop),
        *(min(encoded), statistics.median(encoded), min(encoded) / loop),
        *(loop, statistics.median(calibrated)),
    )
    return Measured(PDU_OCTETS, ROUNDS, *(round(figure, 3) for figure in figures))


def table(measured: Measured) -> str:
    """The figures for people."""
    rows = (
        ("decode", measured.decode_us, measured.decode_median_us, measured.decode_calibrations),
        ("encode", measured.encode_us, measured.encode_median_us, measured.encode_calibrations),
        ("calibration", measured.calibration_us, measured.calibration_median_us, 1.0),
    )
    head = f"codec, {measured.pdu_octets} octets with two TLVs   least µs   median µs   calibrations\n"
    return head + "\n".join(f"{name:36}{least:11.3f}{median:12.3f}{loops:15.2f}" for name, least, median, loops in rows)


def main() -> None:
    """Prints the figures, as a table or as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.codec", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    measured = measure()
    print(json.dumps(measured._asdict()) if as_json else table(measured))


if __name__ == "__main__":
    main()
