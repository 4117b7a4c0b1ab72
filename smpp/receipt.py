"""Delivery receipts: what a centre says, later, of a message that we gave it, and which of ours it means.

Rules of this file:
- A receipt is what `esm_class` says is one (5.2.12), never what looks like one: a subscriber may write what he likes.
- The text of a receipt has no standard. SMPP 3.4, appendix B, shows a format "typical of most SMSCs"; it is read in any
  case and order, with fields missing. The parameters receipted_message_id and message_state go before it.
- Reading never fails: a receipt without an id or a state is one with `""` and UNKNOWN.
- A message may be known by one id in the response to it and by another spelling in its receipt; `IdPolicy` says how.
- A receipt may come before the response that names its message: `Expected` keeps it until then.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from smpp import constants as c
from smpp.pdu import DataSm, DeliverSm, Pdu, SubmitSm, find_tlv
from smpp.segments import message_octets
from smpp.text import decode_text

ESM_CLASS_RECEIPT: Final = 0x04  # bits 5 to 2 of esm_class: a receipt …
ESM_CLASS_INTERMEDIATE: Final = 0x20  # … and word of a message that is still on its way
_ESM_CLASS_TYPE: Final = 0x3C


class MessageState(IntEnum):
    """5.2.28; SCHEDULED and SKIPPED are SMPP 5.0's, met on 3.4 binds."""

    SCHEDULED = 0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9


FINAL: Final = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.EXPIRED,
        MessageState.DELETED,
        MessageState.UNDELIVERABLE,
        MessageState.REJECTED,
        MessageState.SKIPPED,
    }
)

# `stat:` in the text (appendix B): seven letters; some centres write the word out.
STAT_WORDS: Final = {
    MessageState.SCHEDULED: "SCHEDLD",
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
    MessageState.SKIPPED: "SKIPPED",
}
_STATES: Final = {word: state for state, word in STAT_WORDS.items()} | {state.name: state for state in MessageState}
_STATE_NUMBERS: Final = frozenset(map(int, MessageState))

_KEY: Final = r"(?:id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)[ ]*+:"
_find_fields: Final = re.compile(rf"\b({_KEY})[ ]*+(?!{_KEY})([^\s\0]++)", re.IGNORECASE).finditer
_find_text: Final = re.compile(r"\btext[ ]*+:[ ]?", re.IGNORECASE).search


class Receipt(NamedTuple):
    """One receipt, read."""

    message_id: str  # as the parameter has it, else as the text has it; "" when neither does
    text_id: str  # as the text has it: some centres write the two differently
    state: MessageState
    error_code: str  # as the text has it, "" when it does not; its meaning is the centre's own
    network_error: bytes  # the parameter network_error_code (5.3.2.31), three octets, or b""
    submitted_at: str  # as the centre writes it, YYMMDDhhmm with or without seconds, in a time zone of its own
    done_at: str
    text: str  # the beginning of the message, where the centre repeats it
    source: str  # whom the message was for
    destination: str  # whom it was from
    is_final: bool  # no further receipt follows


def is_receipt(pdu: Pdu) -> bool:
    """Whether this is a receipt, and no message of a subscriber. A centre that has bound to us sends submit_sm."""
    return isinstance(pdu, DeliverSm | DataSm | SubmitSm) and pdu.esm_class & _ESM_CLASS_TYPE in (
        ESM_CLASS_RECEIPT,
        ESM_CLASS_INTERMEDIATE,
    )


def read_receipt(pdu: Pdu) -> Receipt | None:
    """The receipt that the message is; None for a message of a subscriber, and for anything else."""
    if not isinstance(pdu, DeliverSm | DataSm | SubmitSm) or not is_receipt(pdu):
        return None
    text = _decoded(message_octets(pdu), pdu.data_coding)
    fields, quoted = _fields(text)
    text_id = fields.get("id", "")
    state = _state(find_tlv(pdu, c.TAG_MESSAGE_STATE), fields.get("stat", ""))
    intermediate = pdu.esm_class & _ESM_CLASS_TYPE == ESM_CLASS_INTERMEDIATE
    return Receipt(
        message_id=_until_nul(find_tlv(pdu, c.TAG_RECEIPTED_MESSAGE_ID) or b"") or text_id,
        text_id=text_id,
        state=state,
        error_code=fields.get("err", ""),
        network_error=find_tlv(pdu, c.TAG_NETWORK_ERROR_CODE) or b"",
        submitted_at=fields.get("submitdate", ""),
        done_at=fields.get("donedate", ""),
        text=quoted,
        source=pdu.source_addr,
        destination=pdu.destination_addr,
        is_final=state in FINAL and not intermediate,
    )


def _decoded(octets: bytes, data_coding: int) -> str:
    """The fields are ASCII, whatever `data_coding` says of the text that they quote; in UCS-2 at most all is."""
    return octets.decode("latin-1") if b"id:" in octets.lower() else decode_text(octets, data_coding, "latin1")


def _fields(text: str) -> tuple[dict[str, str], str]:
    """The fields by their names in small letters without spaces, and what stands behind `text:`."""
    found = _find_text(text)
    head, quoted = (text[: found.start()], text[found.end() :]) if found else (text, "")
    fields: dict[str, str] = {}
    for match in _find_fields(head):
        name = match[1].rstrip(": ").lower().replace(" ", "").replace("_", "")
        fields.setdefault(name, match[2])
    return fields, quoted.rstrip("\0")


def _state(value: bytes | None, word: str) -> MessageState:
    if value and value[-1] in _STATE_NUMBERS:
        return MessageState(value[-1])
    return _STATES.get(word.upper(), MessageState.UNKNOWN)


def _until_nul(octets: bytes) -> str:
    return octets.partition(b"\0")[0].decode("latin-1")


# --- which message is meant -------------------------------------------------------------------------------------

Spelling: TypeAlias = Literal["text", "decimal", "hexadecimal"]
_BASES: Final = {"decimal": 10, "hexadecimal": 16}
_EARLY_OF_ONE_MAX: Final = 4  # an intermediate receipt or two, and the final one


@dataclass(frozen=True, slots=True)
class IdPolicy:
    """How a centre spells message ids: in its responses, and in the text of its receipts. Two spellings of one id give
    one key.

    As numbers ids are equal whatever their zeros and case; an id that is none is taken as text.
    """

    response: Spelling = "text"
    receipt: Spelling = "text"
    leading_zeros_matter: bool = True  # for text
    case_matters: bool = True  # for text

    def response_key(self, message_id: str) -> str:
        """The key of a message by the id in the response to it."""
        return self._key(message_id, self.response)

    def receipt_keys(self, receipt: Receipt) -> tuple[str, ...]:
        """The keys of the message that a receipt may mean, the likelier first.

        An id in receipted_message_id that the text has not, or spells otherwise, is that of the response (5.3.2.12).
        """
        keys: list[str] = []
        if receipt.message_id and receipt.message_id != receipt.text_id:
            keys.append(self._key(receipt.message_id, self.response))
        if receipt.text_id:
            keys.append(self._key(receipt.text_id, self.receipt))
        return tuple(dict.fromkeys(keys))

    def _key(self, message_id: str, spelling: Spelling) -> str:
        base = _BASES.get(spelling)
        if base is not None and message_id.isascii() and message_id.isalnum():
            try:
                return str(int(message_id, base))
            except ValueError:  # not a number after all
                pass
        key = message_id if self.case_matters else message_id.lower()
        return key if self.leading_zeros_matter else key.lstrip("0") or key[-1:]


T = TypeVar("T")


@dataclass(slots=True)
class _Sent(Generic[T]):
    """A message whose receipt is awaited."""

    context: T
    at: float


@dataclass(slots=True)
class _Early:
    """Receipts under a key that no response has named yet."""

    at: float
    receipts: list[Receipt] = field(default_factory=list)


class Expected(Generic[T]):
    """The messages of one link whose receipts are awaited, each with what its sender wants back with them.

    A message is forgotten with its final receipt, or `seconds_max` after it was sent; an early receipt after
    `early_seconds_max`. Of either at most `entries_max` are held: beyond that the oldest is forgotten.
    """

    def __init__(
        self, policy: IdPolicy, seconds_max: float, early_seconds_max: float = 60.0, entries_max: int = 100_000
    ) -> None:
        self._policy = policy
        self._seconds_max = seconds_max
        self._early_seconds_max = early_seconds_max
        self._entries_max = entries_max
        self._sent: OrderedDict[str, _Sent[T]] = OrderedDict()
        self._early: OrderedDict[str, _Early] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent)

    def sent(self, message_id: str, context: T, now: float) -> tuple[Receipt, ...]:
        """A response named this message; the receipts that came before it, in their order."""
        self._forget_old_receipts(now)
        self.expired(now)
        key = self._policy.response_key(message_id)
        early = self._early.pop(key, None)
        receipts = tuple(early.receipts) if early else ()
        for other in {other for receipt in receipts for other in self._policy.receipt_keys(receipt)}:
            self._early.pop(other, None)
        self._sent.pop(key, None)  # an id used again means the later message
        if not any(receipt.is_final for receipt in receipts):
            self._sent[key] = _Sent(context, now)
            if len(self._sent) > self._entries_max:
                self._sent.popitem(last=False)
        return receipts

    def came(self, receipt: Receipt, now: float) -> T | None:
        """What the sender of the message wants back; None when no response has named the message, yet or any more."""
        self._forget_old_receipts(now)
        self.expired(now)
        keys = self._policy.receipt_keys(receipt)
        for key in keys:
            sent = self._sent.get(key)
            if sent is not None:
                if receipt.is_final:
                    del self._sent[key]
                return sent.context
        for key in keys:
            early = self._early.setdefault(key, _Early(now))
            if receipt not in early.receipts and len(early.receipts) < _EARLY_OF_ONE_MAX:  # a repeat tells nothing
                early.receipts.append(receipt)
            if len(self._early) > self._entries_max:
                self._early.popitem(last=False)
        return None

    def expired(self, now: float) -> tuple[T, ...]:
        """Forgets and returns the messages whose receipt has not come in time."""
        late: list[T] = []
        while self._sent:
            key, sent = next(iter(self._sent.items()))
            if now - sent.at < self._seconds_max:
                break
            late.append(sent.context)
            del self._sent[key]
        return tuple(late)

    def _forget_old_receipts(self, now: float) -> None:
        while self._early:
            key, early = next(iter(self._early.items()))
            if now - early.at < self._early_seconds_max:
                return
            del self._early[key]
