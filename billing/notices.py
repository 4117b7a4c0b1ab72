"""Notices: what a subscriber is told by SMS because something has happened, and how the core hands it to the engine.

Rules of this file (pure):
- The core says what happened (`event`, `arguments`, see `billing.events`); the words are the engine's.
- A notice is `POST /v1/notices` with the JSON of `Notice`, signed as calls are. Its id stands for the message: a notice
  that comes again under its id is the same message.
- 200 with `{"message_id": …}` says that the SMSC has accepted it; 503 says later; 400, 401 and 422 say never.
- An argument may be a secret: a notice prints without its arguments. What is added later is passed over by a reader.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from billing.events import EVENTS
from billing.values import (
    LANGUAGES,
    NETWORKS,
    Choice,
    Fault,
    Field,
    Instant,
    Msisdn,
    Value,
    check_values,
    only_known,
)

PATH: Final = "/v1/notices"
OCTETS_MAX: Final = 16 * 1024


class Notice(NamedTuple):
    """One SMS to be sent. `id`: a UUID in text; `language`: "" when none was chosen; `not_after`: a moment in UTC, as
    the contract writes them (`2026-03-31T09:30:00Z`), after which it is not sent."""

    id: str
    msisdn: str
    network: str
    event: str
    language: str
    arguments: Mapping[str, Value]
    not_after: str

    def __repr__(self) -> str:
        """Names arguments without their values, which may be secret, and only the end of the number."""
        return f"Notice({self.event} {self.id} …{self.msisdn[-4:]} {self.language or '-'} {sorted(self.arguments)})"


class NoticeError(Exception):
    """Octets that are no notice. `faults` name the fields, `body` being all of it; no value is part of the text."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.field} {fault.what}" for fault in faults))
        self.faults = faults


_ENVELOPE: Final[Mapping[str, Field]] = {
    "msisdn": Field(Msisdn(), "to whom"),
    "network": Field(Choice(NETWORKS), "the network the number belongs to"),
    "event": Field(Choice(tuple(EVENTS)), "what has happened"),
    "language": Field(Choice((*LANGUAGES, "")), "the language chosen, if one is"),
    "not_after": Field(Instant(), "when it is too late"),
}
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


def to_octets(notice: Notice) -> bytes:
    """The notice as it travels."""
    return _encoder.encode(notice._asdict())


def from_octets(octets: bytes) -> Notice:
    """The notice in a body, checked against `EVENTS`. Raises NoticeError, which names every field that does not fit."""
    try:
        body = _decoder.decode(octets)
    except (msgspec.MsgspecError, RecursionError):
        raise NoticeError((Fault("body", "must be a JSON object"),)) from None
    faults = _faults_of(body)
    if faults:
        raise NoticeError(tuple(faults))
    arguments = only_known(body["arguments"], EVENTS[body["event"]].arguments)
    return Notice(
        body["id"], body["msisdn"], body["network"], body["event"], body["language"], arguments, body["not_after"]
    )


def _faults_of(body: Mapping[str, Any]) -> list[Fault]:
    faults = [
        Fault(fault.field.removeprefix("."), fault.what)
        for fault in check_values(body, _ENVELOPE, "", more_allowed=True)
    ]
    if not _is_uuid(body.get("id")):
        faults.append(Fault("id", "must be a UUID"))
    arguments = body.get("arguments")
    if type(arguments) is not dict:
        faults.append(Fault("arguments", "must be an object"))
    elif (event := EVENTS.get(str(body.get("event")))) is not None:
        faults += check_values(arguments, event.arguments, "arguments", more_allowed=True)
    return faults


def _is_uuid(value: object) -> bool:
    try:
        return type(value) is str and str(uuid.UUID(value)) == value
    except ValueError:
        return False
