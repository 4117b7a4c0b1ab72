"""tshark as an independent decoder of SMPP: talks go in as a capture, complaints and decoded fields come out.

Rules of this file:
- A talk becomes a TCP connection between 10.x.x.x, who dialled, and a listener at port 2775; each chunk of it becomes a
  segment, cut only where IP cannot carry it. tshark alone finds where PDUs begin and end.
- Nothing of ours decodes anything here.
"""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from struct import pack
from typing import NamedTuple

from tests.recording_relay import Chunk, Talk

REPOSITORY = Path(__file__).resolve().parents[2]
FROM_DEBIAN = REPOSITORY / "peers" / "from_debian.sh"
_PORT = 2775
_DIALLER = int(IPv4Address("10.0.0.0"))
_LISTENER = int(IPv4Address("192.0.2.1"))
_SEGMENT_OCTETS_MAX = 60_000
_RAW_IPV4 = 228  # LINKTYPE_IPV4
_SECONDS_MAX = 100
_COLUMNS = ("ip.src", "ip.dst", "tcp.len", "smpp.command_id", "smpp.command_length", "_ws.malformed", "_ws.expert")


class Frame(NamedTuple):
    """What tshark says of one segment."""

    talk: int
    from_dialler: bool
    octets: int
    commands: tuple[int, ...]  # of the PDUs that end in it
    lengths: tuple[int, ...]
    complaints: tuple[str, ...]


class Field(NamedTuple):
    """One field of a PDU: its name without `smpp.`, how tshark shows it, and its octets."""

    name: str
    show: str
    octets: bytes


class Decoded(NamedTuple):
    """One PDU as tshark reads it."""

    from_dialler: bool
    fields: list[Field]  # in the order of the PDU, those within others too, and those of a user data header

    def octets(self, name: str) -> list[bytes]:
        """The octets of each field of this name."""
        return [field.octets for field in self.fields if field.name == name]

    def numbers(self, name: str) -> list[int]:
        """The same as numbers."""
        return [int.from_bytes(octets, "big") for octets in self.octets(name)]

    def number(self, name: str) -> int:
        """The only one of this name."""
        (found,) = self.numbers(name)
        return found

    def text(self, name: str) -> str:
        """How tshark shows the only field of this name."""
        (shown,) = [field.show for field in self.fields if field.name == name]
        return shown


def is_here() -> bool:
    """Whether there is a tshark to ask."""
    try:
        return subprocess.run([FROM_DEBIAN, "tshark", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def frames(talks: Sequence[Talk]) -> list[Frame]:
    """What tshark says of every segment of these talks."""
    wanted = [word for column in _COLUMNS for word in ("-e", column)]
    table = _tshark(talks, "-T", "fields", "-E", "separator=\t", "-E", "occurrence=a", "-E", "aggregator=;", *wanted)
    return [_frame(line.split("\t")) for line in table.decode().splitlines()]


def complaints(talks: Sequence[Talk], from_dialler: bool) -> list[str]:
    """All that tshark finds wrong in what one side of these talks said; also octets that it took for no PDU."""
    found: list[str] = []
    said: defaultdict[int, int] = defaultdict(int)
    understood: defaultdict[int, int] = defaultdict(int)
    for number, frame in enumerate(frames(talks), 1):
        if frame.from_dialler == from_dialler:
            found += [f"talk {frame.talk}, frame {number}: {complaint}" for complaint in frame.complaints]
            said[frame.talk] += frame.octets
            understood[frame.talk] += sum(frame.lengths)
    return found + [
        f"talk {talk}: {octets} octets were said, {understood[talk]} of them in PDUs"
        for talk, octets in said.items()
        if octets != understood[talk]
    ]


def decoded(talk: Talk) -> list[Decoded]:
    """Every PDU of the talk, in the order in which they ended."""
    found: list[Decoded] = []
    for packet in ET.fromstring(_tshark([talk], "-T", "pdml")).iter("packet"):
        source = next(field.get("show") for field in packet.iter("field") if field.get("name") == "ip.src")
        for proto in packet.iter("proto"):
            if proto.get("name") == "smpp":
                found.append(Decoded(source != str(IPv4Address(_LISTENER)), []))
            if proto.get("name") in ("smpp", "gsm_sms_ud"):
                found[-1].fields.extend(_field(field) for field in proto.iter("field"))
    return found


def _tshark(talks: Sequence[Talk], *arguments: str) -> bytes:
    command = [FROM_DEBIAN, "tshark", "-n", "-r", "-", "-d", f"tcp.port=={_PORT},smpp", *arguments]
    done = subprocess.run(command, input=capture(talks), capture_output=True, check=False, timeout=_SECONDS_MAX)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _frame(columns: list[str]) -> Frame:
    source, destination, octets, commands, lengths, malformed, expert = columns
    from_dialler = int(IPv4Address(source)) != _LISTENER
    talk = int(IPv4Address(source if from_dialler else destination)) - _DIALLER
    return Frame(
        talk,
        from_dialler,
        int(octets),
        tuple(int(command, 0) for command in commands.split(";") if command),
        tuple(int(length) for length in lengths.split(";") if length),
        tuple(complaint.partition(";")[0] for complaint in (malformed, expert) if complaint),
    )


def _field(element: ET.Element) -> Field:
    value = element.get("value", "")
    octets = bytes.fromhex(value if len(value) % 2 == 0 else "0" + value)
    return Field(element.get("name", "").removeprefix("smpp."), element.get("show", ""), octets)


# --- a capture ---


def capture(talks: Iterable[Talk]) -> bytes:
    """The talks as a file of libpcap's classic format."""
    octets = [pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, _RAW_IPV4)]
    for number, packet in enumerate(packet for at, talk in enumerate(talks) for packet in _packets(at, talk)):
        octets += [pack("<IIII", number // 1000, number % 1000 * 1000, len(packet), len(packet)), packet]
    return b"".join(octets)


def _packets(at: int, talk: Talk) -> Iterator[bytes]:
    """The segments of one talk; each side acknowledges all that the other has said."""
    next_octet = {True: 1, False: 1}
    for chunk in _cut(talk):
        forth = chunk.from_dialler
        addresses = pack(">II", *((_DIALLER + at, _LISTENER) if forth else (_LISTENER, _DIALLER + at)))
        ports = pack(">HH", *((40_000, _PORT) if forth else (_PORT, 40_000)))
        push_and_acknowledge = 0x5018
        tcp = ports + pack(">IIHHHH", next_octet[forth], next_octet[not forth], push_and_acknowledge, 0xFFFF, 0, 0)
        next_octet[forth] += len(chunk.octets)
        ip = pack(">BBHHHBBH", 0x45, 0, 40 + len(chunk.octets), 0, 0x4000, 64, 6, 0) + addresses
        yield ip + tcp + chunk.octets


def _cut(talk: Talk) -> Iterator[Chunk]:
    for chunk in talk:
        for at in range(0, len(chunk.octets), _SEGMENT_OCTETS_MAX):
            yield Chunk(chunk.from_dialler, chunk.octets[at : at + _SEGMENT_OCTETS_MAX])
