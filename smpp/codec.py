"""Octets to PDUs and back. The functions are compiled from the tables of `pdu` once, at import.

Rules of this file:
- The layout of a PDU stands in its table only. `_reader_source` and `_writer_source` turn a table into straight-line
  Python: one regular expression for each run of scalar fields, indexing for numbers, one f-string to write.
- Reading is generous, writing is exact. What real peers get wrong and mean clearly is read and reported as a quirk;
  what we would get wrong is a ValueError that names the field.
- A reader never looks beyond its PDU, and its work is linear in the PDU's octets.

What is refused, and how: a mandatory part that ends too early, ESME_RINVCMDLEN; a `sm_length` beyond the PDU,
ESME_RINVMSGLEN; a last TLV beyond the PDU, ESME_RINVOPTPARSTREAM in requests that carry a text to us, because the text
may be in it, while `deliver_sm` and all other PDUs lose that TLV only. A response is never refused: whoever waits
for it must be told, so fields that cannot be read have their defaults.

An error response has no body by section 3.2, but peers send one, and some put TLVs behind it or in its place
(data_sm_resp with delivery_failure_reason, 4.7.2; any response in 5.0). Its body is the mandatory part with TLVs,
unless its first text begins with a control octet, as all tags of the standard do, or is empty and the rest does not
parse; then it is TLVs alone, if they take it exactly.
"""
# long because: reading and writing walk the same tables

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from typing import Any, Final, NamedTuple, TypeAlias, cast

from smpp import constants as c
from smpp.errors import (
    QUIRK_BODY_ON_ERROR,
    QUIRK_NO_BODY,
    QUIRK_TLV_OVERRUN,
    QUIRK_TRAILING_OCTETS,
    QUIRK_UNREADABLE_BODY,
    QUIRK_UNTERMINATED,
    FramingError,
    PduError,
)
from smpp.pdu import (
    BY_COMMAND_ID,
    Counted,
    CString,
    DistributionList,
    Listed,
    Octet,
    Pdu,
    SmeAddress,
    Tlv,
    UnsuccessSme,
)

HEADER_OCTETS: Final = 16
_TLV_REFUSED: Final = frozenset({c.SUBMIT_SM, c.SUBMIT_MULTI, c.DATA_SM, c.REPLACE_SM})

OnQuirk: TypeAlias = Callable[[str], None] | None
Reader: TypeAlias = Callable[[bytes, int, int, int, OnQuirk], Pdu]  # octets, length, status, sequence, on_quirk
Writer: TypeAlias = Callable[[Any], bytes]

unpack_header: Final = Struct(">IIII").unpack_from  # command_length, command_id, command_status, sequence_number
_pack_header: Final = Struct(">IIII").pack
_unpack_tlv: Final = Struct(">HH").unpack_from
_pack_tlv: Final = Struct(">HH").pack


def decode(octets: bytes, on_quirk: OnQuirk = None) -> Pdu:
    """Reads one whole PDU with its header; `on_quirk` is told each quirk's word (`errors.QUIRK_…`).

    Raises FramingError when `command_length` is not the number of octets, and PduError for what is to be refused;
    an unknown command is a PduError with ESME_RINVCMDID (for a response: to be consumed, not answered).
    """
    try:
        length, command_id, command_status, sequence_number = unpack_header(octets)
        if length != len(octets):
            raise FramingError(length)
        return _READERS[command_id](octets, length, command_status, sequence_number, on_quirk)
    except StructError:
        raise FramingError(len(octets)) from None
    except KeyError:
        raise PduError(command_id, sequence_number, c.ESME_RINVCMDID, "unknown command") from None
    except _TooShort:
        if command_id & c.RESPONSE:
            return _unreadable_response(octets, on_quirk)
        what = "the mandatory part ends too early"
        raise PduError(command_id, sequence_number, c.ESME_RINVCMDLEN, what) from None


def encode(pdu: Pdu) -> bytes:
    """Writes one PDU with its header. An error response has no body (3.2); where it has TLVs, they stand behind a
    mandatory part whose fields are empty, so that every reader finds them.

    Raises ValueError, naming the field, for a value that its place on the wire cannot hold.
    """
    try:
        return _WRITERS[type(pdu)](pdu)
    except (KeyError, StructError, UnicodeEncodeError):
        raise _explained(pdu) from None


# --- the fields of a table --------------------------------------------------------------------------------------


class _Field(NamedTuple):
    name: str
    wire: Octet | CString | Counted | Listed


class _Run(NamedTuple):
    """Scalar fields in a row, and the field that counts its own content behind them, if there is one."""

    scalars: tuple[_Field, ...]
    counted: _Field | None


def _fields(cls: type[Pdu]) -> tuple[_Field, ...]:
    """The mandatory part of a PDU, in wire order."""
    hints = typing.get_type_hints(cls, include_extras=True)
    names = cast(Any, cls)._fields[:-3]  # the last three: tlvs, sequence_number, command_status
    return tuple(_Field(name, hints[name].__metadata__[0]) for name in names)


_FIELDS: Final = {cls: _fields(cls) for cls in BY_COMMAND_ID.values()}


def _runs(fields: tuple[_Field, ...]) -> list[_Run]:
    runs: list[_Run] = []
    scalars: list[_Field] = []
    for field in fields:
        if isinstance(field.wire, Octet | CString):
            scalars.append(field)
        else:
            runs.append(_Run(tuple(scalars), field))
            scalars = []
    if scalars:
        runs.append(_Run(tuple(scalars), None))
    return runs


# --- reading ----------------------------------------------------------------------------------------------------


class _TooShort(Exception):
    """The mandatory part goes on where the PDU ends."""


def _reader_source(cls: type[Pdu], space: dict[str, Any]) -> str:
    """The source of `read(octets, length, command_status, sequence_number, on_quirk)` for one PDU."""
    fields = _FIELDS[cls]
    names = "".join(field.name + ", " for field in fields)
    response = bool(cls.command_id & c.RESPONSE)
    lines = ["def read(octets, length, command_status, sequence_number, on_quirk):"]
    if response and fields:
        lines += [
            " if length == 16: return no_body(cls, command_status, sequence_number, on_quirk)",
            " if command_status: return error_response(read, cls, octets, command_status, sequence_number, on_quirk)",
        ]
    lines.append(" text = octets.decode('latin-1')" if fields else "")
    lines.append(" at = 16")
    for number, run in enumerate(_runs(fields)):
        lines += _run_source(number, run, space)
    lines += [
        " tlvs = []",
        " while at + 4 <= length:",
        "  tag, size = unpack_tlv(octets, at)",
        "  begin = at + 4",
        "  at = begin + size",
        "  tlvs.append(new(Tlv, (tag, octets[begin:at])))",
        " if at != length: mend(cls, tlvs, at > length, sequence_number, on_quirk)",
        f" return new(cls, ({names}tuple(tlvs), sequence_number, command_status))",
    ]
    return "\n".join(line for line in lines if line)


def _run_source(number: int, run: _Run, space: dict[str, Any]) -> list[str]:
    """Reads one run: a match finds the strings, their lengths give the places of the numbers between them."""
    strings = [field.name for field in run.scalars if isinstance(field.wire, CString)]
    pattern = "".join("([^\0]*+)\0" if isinstance(field.wire, CString) else "." for field in run.scalars)
    pattern += "." if run.counted else ""
    space[f"match_{number}"] = re.compile(pattern, re.DOTALL).match
    lines = [f" found = match_{number}(text, at)", " if found is None: raise TooShort"]
    if strings:
        lines.append(f" {', '.join(strings)}, = found.groups()")
    base, offset = "at", 0
    for field in run.scalars:
        if isinstance(field.wire, CString):
            lines.append(f" at = {base} + {offset + 1} + len({field.name})")
            base, offset = "at", 0
        else:
            lines.append(f" {field.name} = octets[at + {offset}]" if offset else f" {field.name} = octets[at]")
            offset += 1
    if run.counted is None:
        return [*lines, f" at += {offset}"] if offset else lines
    name = run.counted.name
    if isinstance(run.counted.wire, Counted):
        lines += [
            f" begin = at + {offset + 1}",
            " at = begin + octets[begin - 1]",
            " if at > length: raise too_long(cls, sequence_number)",
            f" {name} = octets[begin:at]",
        ]
    else:
        lines.append(f" {name}, at = read_{name}(octets, at + {offset})")
    return lines


def _no_body(cls: type[Pdu], command_status: int, sequence_number: int, on_quirk: OnQuirk) -> Pdu:
    """A response of its header alone: normal with an error (section 3.2), a quirk without one."""
    if not command_status and on_quirk:
        on_quirk(QUIRK_NO_BODY)
    return cast(Any, cls)(sequence_number=sequence_number, command_status=command_status)  # type: ignore[no-any-return]


def _error_response(
    read: Reader, cls: type[Pdu], octets: bytes, command_status: int, sequence_number: int, on_quirk: OnQuirk
) -> Pdu:
    """An error response with a body, by the rule above. TLVs behind a mandatory part are no quirk."""
    quirks: list[str] = []
    try:
        pdu = read(octets, len(octets), c.ESME_ROK, sequence_number, quirks.append)
    except _TooShort:
        pdu = _unreadable_response(octets, quirks.append)
    first = octets[HEADER_OCTETS]
    alone = _tlvs_alone(octets) if first < 0x20 and (first or quirks) else None
    if alone is not None:
        pdu, quirks = cast(Any, cls)(tlvs=alone, sequence_number=sequence_number), []
    if on_quirk:
        for kind in quirks if pdu.tlvs and alone is None else (QUIRK_BODY_ON_ERROR, *quirks):
            on_quirk(kind)
    return cast(Any, pdu)._replace(command_status=command_status)  # type: ignore[no-any-return]


def _tlvs_alone(octets: bytes) -> tuple[Tlv, ...] | None:
    """The TLVs that take the whole body, without a mandatory part; None when they do not take it exactly.

    Tag 0 is reserved (5.3.2): octets of it are padding.
    """
    tlvs: list[Tlv] = []
    at, length = HEADER_OCTETS, len(octets)
    while at + 4 <= length:
        tag, size = _unpack_tlv(octets, at)
        tlvs.append(Tlv(tag, octets[at + 4 : at + 4 + size]))
        at += 4 + size
    return tuple(tlvs) if at == length and all(tlv.tag for tlv in tlvs) else None


def _mend(cls: type[Pdu], tlvs: list[Tlv], overrun: bool, sequence_number: int, on_quirk: OnQuirk) -> None:
    """Refuses or mends a PDU that ends within a TLV; `overrun`: the last of `tlvs` is longer than the PDU."""
    if overrun and cls.command_id in _TLV_REFUSED:
        what = f"TLV 0x{tlvs[-1].tag:04X} is longer than the PDU"
        raise PduError(cls.command_id, sequence_number, c.ESME_RINVOPTPARSTREAM, what)
    if overrun:
        del tlvs[-1]
    if on_quirk:
        on_quirk(QUIRK_TLV_OVERRUN if overrun else QUIRK_TRAILING_OCTETS)


def _read_dest_address(octets: bytes, at: int) -> tuple[tuple[SmeAddress | DistributionList, ...], int]:
    """4.5.1.1: one octet that counts, then each destination behind its dest_flag."""
    found: list[SmeAddress | DistributionList] = []
    try:
        count = octets[at]
        at += 1
        for _ in range(count):
            flag = octets[at]
            begin = at + (3 if flag == 1 else 1)
            end = octets.index(0, begin)
            name = octets[begin:end].decode("latin-1")
            if flag not in (1, 2):
                raise _TooShort
            found.append(SmeAddress(octets[at + 1], octets[at + 2], name) if flag == 1 else DistributionList(name))
            at = end + 1
    except (IndexError, ValueError):
        raise _TooShort from None
    return tuple(found), at


def _read_unsuccess_sme(octets: bytes, at: int) -> tuple[tuple[UnsuccessSme, ...], int]:
    """4.5.2.1: one octet that counts, then each destination and its status."""
    found: list[UnsuccessSme] = []
    try:
        count = octets[at]
        at += 1
        for _ in range(count):
            end = octets.index(0, at + 2)
            status = octets[end + 1 : end + 5]
            if len(status) < 4:
                raise _TooShort
            address = octets[at + 2 : end].decode("latin-1")
            found.append(UnsuccessSme(octets[at], octets[at + 1], address, int.from_bytes(status, "big")))
            at = end + 5
    except (IndexError, ValueError):
        raise _TooShort from None
    return tuple(found), at


def _too_long(cls: type[Pdu], sequence_number: int) -> PduError:
    return PduError(cls.command_id, sequence_number, c.ESME_RINVMSGLEN, "sm_length goes beyond the PDU")


def _compiled_reader(cls: type[Pdu]) -> Reader:
    space: dict[str, Any] = {
        "cls": cls,
        "new": tuple.__new__,
        "TooShort": _TooShort,
        "too_long": _too_long,
        "no_body": _no_body,
        "error_response": _error_response,
        "Tlv": Tlv,
        "unpack_tlv": _unpack_tlv,
        "mend": _mend,
        "read_dest_address": _read_dest_address,
        "read_unsuccess_sme": _read_unsuccess_sme,
    }
    exec(_reader_source(cls, space), space)  # noqa: S102 - our own source, from our own table, at import # nosec B102
    return cast(Reader, space["read"])


def _unreadable_response(octets: bytes, on_quirk: OnQuirk) -> Pdu:
    """A lone C-octet string without its NUL is the rest of the PDU; other bodies are not guessed at."""
    _, command_id, command_status, sequence_number = unpack_header(octets)
    cls = BY_COMMAND_ID[command_id]
    fields = _FIELDS[cls]
    lone = len(fields) == 1 and isinstance(fields[0].wire, CString)
    read = {fields[0].name: octets[HEADER_OCTETS:].decode("latin-1")} if lone else {}
    if on_quirk:
        on_quirk(QUIRK_UNTERMINATED if lone else QUIRK_UNREADABLE_BODY)
    return cast(Any, cls)(**read, sequence_number=sequence_number, command_status=command_status)  # type: ignore[no-any-return]


# --- writing ----------------------------------------------------------------------------------------------------

_OCTET: Final = {number: chr(number) for number in range(256)}  # a dict, because a list would take -1


def _writer_source(cls: type[Pdu]) -> str:
    """The source of `write(pdu)` for one PDU. It fails with KeyError, StructError or UnicodeEncodeError only."""
    fields = _FIELDS[cls]
    names = "".join(field.name + ", " for field in fields)
    lines = ["def write(pdu):", f" {names}tlvs, sequence_number, command_status = pdu"]
    if cls.command_id & c.RESPONSE:
        lines.append(" if command_status:")
        lines.append(f"  if not tlvs: return pack(16, {cls.command_id}, command_status, sequence_number)")
        lines += [f"  {field.name} = {_empty(field.wire)}" for field in fields]
    for field in fields:
        if isinstance(field.wire, CString):
            bad = f"len({field.name}) > {field.wire.octets_max - 1} or '\\0' in {field.name}"
            lines.append(f" if {field.name} and ({bad}): raise KeyError")
        elif isinstance(field.wire, Counted):
            lines.append(f" if len({field.name}) > {field.wire.octets_max}: raise KeyError")
    parts = [part for run in _runs(fields) for part in _written(run)]
    lines.append(f" body = {' + '.join(parts) or repr(b'')}")
    lines.append(" for tag, value in tlvs: body += pack_tlv(tag, len(value)) + value")
    lines.append(f" return pack(16 + len(body), {cls.command_id}, command_status, sequence_number) + body")
    return "\n".join(lines)


def _empty(wire: Octet | CString | Counted | Listed) -> str:
    """The source of an empty field."""
    if isinstance(wire, Octet):
        return "0"
    return "''" if isinstance(wire, CString) else "b''" if isinstance(wire, Counted) else "()"


def _written(run: _Run) -> list[str]:
    text = "".join(
        f"{{{field.name}}}\\0" if isinstance(field.wire, CString) else f"{{octet[{field.name}]}}"
        for field in run.scalars
    )
    if run.counted is None:
        return [f'f"{text}".encode("latin-1")']
    name = run.counted.name
    if isinstance(run.counted.wire, Counted):
        return [f'f"{text}{{octet[len({name})]}}".encode("latin-1")', name]
    return [f'f"{text}{{octet[len({name})]}}".encode("latin-1")', f"write_entries({name})"]


def _write_entries(entries: tuple[SmeAddress | DistributionList | UnsuccessSme, ...]) -> bytes:
    octets = b""
    for entry in entries:
        name = entry.dl_name if isinstance(entry, DistributionList) else entry.destination_addr
        if len(name) > 20 or "\0" in name:
            raise KeyError
        if isinstance(entry, DistributionList):
            octets += f"\x02{name}\0".encode("latin-1")
            continue
        address = f"{_OCTET[entry.dest_addr_ton]}{_OCTET[entry.dest_addr_npi]}{name}\0".encode("latin-1")
        if isinstance(entry, UnsuccessSme):
            octets += address + _pack_status(entry.error_status_code)
        else:
            octets += b"\x01" + address
    return octets


_pack_status: Final = Struct(">I").pack


def _compiled_writer(cls: type[Pdu]) -> Writer:
    space: dict[str, Any] = {
        "octet": _OCTET,
        "pack": _pack_header,
        "pack_tlv": _pack_tlv,
        "write_entries": _write_entries,
    }
    exec(_writer_source(cls), space)  # noqa: S102 - our own source, from our own table, at import # nosec B102
    return cast(Writer, space["write"])


def _explained(pdu: Pdu) -> ValueError:
    """Why a PDU cannot be written: the first field that its place on the wire cannot hold."""
    command = c.command_name(pdu.command_id)
    for field in _FIELDS[type(pdu)]:
        if what := _unwritable(field.wire, getattr(pdu, field.name)):
            return ValueError(f"{command}.{field.name}: {what}")
    for tag, value in pdu.tlvs:
        if not 0 <= tag <= 0xFFFF or len(value) > 0xFFFF:
            return ValueError(f"{command}.tlvs: tag {tag:#x} with {len(value)} octets")
    for name, number in (("sequence_number", pdu.sequence_number), ("command_status", pdu.command_status)):
        if not 0 <= number <= 0xFFFFFFFF:
            return ValueError(f"{command}.{name}: {number} is not a number of four octets")
    return ValueError(f"{command}: cannot be written")


def _unwritable(wire: Octet | CString | Counted | Listed, value: Any) -> str | None:
    if isinstance(wire, Octet):
        return None if value in _OCTET else f"{value} is not a number of one octet"
    if isinstance(wire, Counted):
        return f"{len(value)} octets, at most {wire.octets_max}" if len(value) > wire.octets_max else None
    if isinstance(wire, CString):
        if len(value) >= wire.octets_max:
            return f"{len(value)} characters, at most {wire.octets_max - 1}"
        return "a character that is NUL or not Latin-1" if "\0" in value or max(value, default="") > "\xff" else None
    try:
        _write_entries(value)
    except (KeyError, StructError, UnicodeEncodeError):
        return "an entry that cannot be written"
    return f"{len(value)} entries, at most 255" if len(value) > 255 else None


_READERS: Final[dict[int, Reader]] = {command_id: _compiled_reader(cls) for command_id, cls in BY_COMMAND_ID.items()}
_WRITERS: Final[dict[type[Pdu], Writer]] = {cls: _compiled_writer(cls) for cls in BY_COMMAND_ID.values()}
