"""Text envelopes: a message as `type|id:base64|id:base64…`, in place of TLVs and operations (pure).

The ids are fields of the dialect. A message is ASCII whatever its data_coding says; the values in it are UTF-8.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from strict_yaml import Range

FieldId = Annotated[int, Range(0, 9999)]
TYPE_DIGITS_MAX = 4
NEW = " new"
"""What the operation of a message has after its type when it opens a session."""
_NOT_NEW = ("", "0")


@dataclass(frozen=True)
class Envelope:
    """Which id is what: `session` is echoed, `flow` says in an answer whether the session goes on."""

    msisdn: FieldId
    input: FieldId
    session: FieldId
    status: FieldId
    flow: FieldId
    answer: FieldId
    new: FieldId
    """In a request: "1" opens a session."""
    answer_type: FieldId
    """The type of what we send."""
    answer_status: str = "0"
    """What `status` says of an answer that is one."""


class Opened(NamedTuple):
    """A message that was in an envelope. `op`: its type, with ` new` where it opens a session."""

    op: str
    msisdn: str
    text: str
    session: str


def fields_of(octets: bytes) -> tuple[str, dict[int, str]] | None:
    """The type and the fields in these octets; None when they are no envelope."""
    head, *parts = octets.strip(b"\r\n\0 |").split(b"|")
    if not head.isdigit() or len(head) > TYPE_DIGITS_MAX or not parts:
        return None
    found: dict[int, str] = {}
    for part in parts:
        name, colon, value = part.partition(b":")
        if not colon or not name.isdigit() or len(name) > TYPE_DIGITS_MAX:
            return None
        try:
            found[int(name)] = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            return None
    return head.decode(), found


def opened(octets: bytes, ids: Envelope) -> Opened | None:
    """What is in the envelope; None when it is none."""
    read = fields_of(octets)
    if read is None:
        return None
    kind, fields = read
    new = fields.get(ids.new, "") not in _NOT_NEW
    return Opened(
        f"{kind}{NEW}" if new else kind,
        fields.get(ids.msisdn, ""),
        fields.get(ids.input, ""),
        fields.get(ids.session, ""),
    )


def answer(text: str, flow: str, number: str, session: str, ids: Envelope) -> bytes:
    """A screen in its envelope; `flow` says whether the session goes on."""
    fields = {ids.msisdn: number, ids.session: session, ids.status: ids.answer_status, ids.flow: flow, ids.answer: text}
    return sealed(str(ids.answer_type), fields)


def sealed(kind: str, fields: Mapping[int, str]) -> bytes:
    """An envelope of this type, its fields in the order of their ids."""
    written = (b"%d:%s" % (name, base64.b64encode(fields[name].encode("utf-8", "replace"))) for name in sorted(fields))
    return b"|".join((kind.encode(), *written))
