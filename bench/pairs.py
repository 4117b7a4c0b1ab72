"""How many pairs of submit_sm and its response a core takes: `python -m bench.pairs [--json]`.

Codec, connection and Twisted are a process alone on one processor (`bench.one_core`), the peer is this process, on the
others: it replays octets made before, counts the answers by their heads, keeps `window` messages unanswered, and never
sleeps. Both directions: the peer sends and we answer, and we send and the peer answers. A PDU is that of `bench.codec`.
The best of the rounds is the figure, because whatever else runs only takes away. And the memory of a thousand links
that are bound and idle.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from bench.codec import PDU_OCTETS, sample_pdus
from bench.figures import cpu_seconds
from bench.one_core import PROCESSOR
from smpp.codec import encode
from smpp.pdu import BindTransceiver, BindTransceiverResp, SubmitSm, SubmitSmResp

WINDOWS: Final = (10, 100)
BARS: Final = {10: 50_000, 100: 100_000}
STARTS: Final = 3
ROUNDS: Final = 6  # of each start
ROUND_SECONDS: Final = 0.4
WARM_SECONDS: Final = 0.3
LINKS: Final = 1000
MEMORY_MIB_MAX: Final = 190  # 200 MB
_READ_OCTETS: Final = 1 << 18
_RESPONSE_HEAD: Final = b"\x80\x00\x00\x04\x00\x00\x00\x00"  # submit_sm_resp, ESME_ROK
_BIND_RESP_OCTETS: Final = len(encode(BindTransceiverResp("ussd"))) + 5  # with sc_interface_version


class Row(NamedTuple):
    """One direction at one window. `cpu_us`: of our process, a pair; `peer_cores`: 1 would be all of the peer's."""

    direction: str
    window: int
    pairs_per_second: int
    cpu_us: float
    peer_cores: float


class Measured(NamedTuple):
    """The rows, and the MiB of a process with so many links."""

    rows: list[Row]
    links: int
    links_mib: float
    empty_mib: float


class OurSide:
    """The process that is measured: `bench.one_core` with these arguments."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "bench.one_core", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> OurSide:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # its input ends, and so does it

    def port(self) -> int:
        """Waits until it is ready. Raises RuntimeError when it does not get so far."""
        line = self._process.stdout.readline().split() if self._process.stdout else []
        if not line:
            raise RuntimeError("bench.one_core did not start")
        return int(line[1])

    def cpu_seconds(self) -> float:
        """Seconds of processor so far."""
        return cpu_seconds(self._process.pid)

    def resident_mib(self) -> float:
        """Its memory now."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def bound_to(port: int) -> socket.socket:
    """A peer that has bound to us."""
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(encode(BindTransceiver("bench", sequence_number=1)))
    _read(peer, _BIND_RESP_OCTETS)
    return peer


def _read(peer: socket.socket, octets: int) -> bytes:
    found = peer.recv(octets, socket.MSG_WAITALL)
    if len(found) < octets:
        raise ConnectionError("our side closed")
    return found


def _come(peer: socket.socket) -> bytes:
    """What has come, perhaps nothing: the peer never sleeps, since waking up would be measured as well."""
    try:
        return peer.recv(_READ_OCTETS, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


class Sending:
    """A peer that keeps `window` messages unanswered."""

    def __init__(self, peer: socket.socket, window: int) -> None:
        messages = [pdu for pdu in sample_pdus() if isinstance(pdu, SubmitSm)]
        self._blob = b"".join(map(encode, messages)) * 2
        self._peer, self._at, self._tail = peer, 0, b""
        peer.sendall(self._blob[: window * PDU_OCTETS])

    def work(self, seconds: float) -> int:
        """Goes on for so long; how many messages were answered meanwhile."""
        blob, at, tail, answered = self._blob, self._at, self._tail, 0
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            data = tail + _come(self._peer)
            found = data.count(_RESPONSE_HEAD)
            tail = data[1 - len(_RESPONSE_HEAD) :]
            answered += found
            size = found * PDU_OCTETS
            if size:
                self._peer.sendall(blob[at : at + size])
            at = (at + size) % (len(blob) // 2)
        self._at, self._tail = at, tail
        return answered


class Answering:
    """A peer that answers what comes; each message has `PDU_OCTETS` octets."""

    def __init__(self, listening: socket.socket) -> None:
        self._peer, _ = listening.accept()
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _read(self._peer, int.from_bytes(_read(self._peer, 4), "big") - 4)  # the bind, under sequence number 1
        self._peer.sendall(encode(BindTransceiverResp("peer", sequence_number=1)))
        self._left = b""

    def work(self, seconds: float) -> int:
        """Goes on for so long; how many messages were answered meanwhile."""
        head, rest = encode(SubmitSmResp("00000001"))[:12], b"00000001\0"
        left, answered = self._left, 0
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            data = left + _come(self._peer)
            whole = len(data) - len(data) % PDU_OCTETS
            if not whole:
                left = data
                continue
            self._peer.sendall(b"".join([head + data[at : at + 4] + rest for at in range(12, whole, PDU_OCTETS)]))
            answered += whole // PDU_OCTETS
            left = data[whole:]
        self._left = left
        return answered


def _best(direction: str, window: int, ours: OurSide, peer: Sending | Answering) -> Row:
    """The best of the rounds of one start."""
    peer.work(WARM_SECONDS)
    rows: list[Row] = []
    for _ in range(ROUNDS):
        cpu, own, begun = ours.cpu_seconds(), time.process_time(), time.perf_counter()
        pairs = peer.work(ROUND_SECONDS)
        lasted = time.perf_counter() - begun
        cpu, own = ours.cpu_seconds() - cpu, time.process_time() - own
        rows.append(
            Row(direction, window, round(pairs / lasted), round(cpu / max(1, pairs) * 1e6, 2), round(own / lasted, 2))
        )
    return max(rows, key=_speed)


def _speed(row: Row) -> int:
    return row.pairs_per_second


def we_answer(window: int) -> Row:
    """The peer's messages, after one start."""
    with OurSide("listen") as ours, bound_to(ours.port()) as peer:
        return _best("we answer", window, ours, Sending(peer, window))


def we_send(window: int) -> Row:
    """Our messages, after one start."""
    with socket.create_server(("127.0.0.1", 0)) as peer:
        port = str(peer.getsockname()[1])
        with OurSide("dial", port, str(window)) as ours:
            return _best("we send", window, ours, Answering(peer))


def memory() -> tuple[float, float]:
    """MiB of our process with `LINKS` links bound and idle, and with none."""
    with OurSide("listen") as ours, ExitStack() as peers:
        port = ours.port()
        empty = ours.resident_mib()
        for _ in range(LINKS):
            peers.enter_context(bound_to(port))
        return ours.resident_mib(), empty


def measure() -> Measured:
    """Measures all; this process leaves the first processor to ours, if there is another."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before - {PROCESSOR} or before)
    try:
        works = [(work, window) for work in (we_answer, we_send) for window in WINDOWS]
        rows = [max((work(window) for _ in range(STARTS)), key=_speed) for work, window in works]
        full, empty = memory()
    finally:
        os.sched_setaffinity(0, before)
    return Measured(rows, LINKS, round(full, 1), round(empty, 1))


def failed(measured: Measured) -> bool:
    """Whether a bar was missed."""
    slow = any(row.pairs_per_second < BARS[row.window] for row in measured.rows)
    return slow or measured.links_mib > MEMORY_MIB_MAX


def figures(measured: Measured) -> dict[str, object]:
    """The figures for JSON."""
    return measured._asdict() | {"rows": [row._asdict() for row in measured.rows]}


def table(measured: Measured) -> str:
    """The figures for people."""
    head = f"pairs, {PDU_OCTETS} octets     window   pairs/s       bar   CPU µs/pair   peer cores\n"
    rows = "\n".join(
        f"{row.direction:<20}{row.window:>11}{row.pairs_per_second:>10,}{BARS[row.window]:>10,}{row.cpu_us:>14.2f}"
        f"{row.peer_cores:>13.2f}"
        for row in measured.rows
    )
    return f"{head}{rows}\n{measured.links} idle links: {measured.links_mib} MiB, none: {measured.empty_mib} MiB"


def main() -> int:
    """Prints the figures, as a table or as JSON; exit code 1 when a bar was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.pairs", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    measured = measure()
    print(json.dumps(figures(measured)) if as_json else table(measured))
    return 1 if failed(measured) else 0


if __name__ == "__main__":
    sys.exit(main())
