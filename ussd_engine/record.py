"""Records of what was served (CDR): one a dialogue, one an SMS in or out (pure).

A record has the full number: it is for billing, disputes and statistics, and lies where only they can read it. It has
no text, and of what was typed only the ids of screens and options. Times are UTC, RFC 3339.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import msgspec

from sessions.session import Session

FORMAT: Final = 1

ENDED, USER_ABORT, IDLE, NETWORK_ABORT = "ended", "user_abort", "idle", "network_abort"
LINK_LOST, SLOW_BACK_END, OVERLOAD, OUR_FAULT = "link_lost", "slow_back_end", "overload", "our_fault"
REDIALLED: Final = "redialled"
"""The number dialled again before the dialogue was over."""
CAUSES: Final = (
    ENDED, USER_ABORT, IDLE, NETWORK_ABORT, LINK_LOST, SLOW_BACK_END, OVERLOAD, OUR_FAULT, REDIALLED
)  # fmt: skip
"""How a dialogue can end."""


class Charge(msgspec.Struct, frozen=True):
    """A call of the dialogue that may have changed or charged something: `id` is the billing core's id of it."""

    call: str
    id: str


class DialogueRecord(msgspec.Struct, frozen=True, tag_field="record", tag="dialogue", omit_defaults=True):
    """One dialogue."""

    seq: int
    id: str
    msisdn: str
    network: str
    link: str
    code: str
    service: str
    menu: str
    language: str
    began: str
    ended: str
    turns: int
    path: tuple[str, ...]
    cause: str
    charges: tuple[Charge, ...] = ()
    resumed: str = ""
    """The id of the dialogue that it went on with."""


class SmsRecord(msgspec.Struct, frozen=True, tag_field="record", tag="sms", omit_defaults=True):
    """One SMS: `mo` from the subscriber, `mt` to the subscriber."""

    seq: int
    direction: Literal["mo", "mt"]
    msisdn: str
    network: str
    link: str
    address: str
    """The short number or name at the other end."""
    service: str
    at: str
    parts: int
    outcome: str
    """`accepted`, or why it was not."""
    id: str = ""
    """mo: the inbox id; mt: the SMSC's message id of the first part."""


Record: TypeAlias = DialogueRecord | SmsRecord

_encoder = msgspec.json.Encoder()


def to_line(record: Record) -> bytes:
    """The record as a line of JSON."""
    return _encoder.encode(record) + b"\n"


def dialogue_record(session: Session, cause: str, at: float, seq: int) -> DialogueRecord:
    """The record of a dialogue whose last state is `session`; `at`: when it ended, seconds since 1970."""
    last = () if session.path and session.path[-1] == session.screen else (session.screen,) if session.screen else ()
    return DialogueRecord(
        seq=seq,
        id=session.id,
        msisdn=session.msisdn,
        network=session.network,
        link=session.link,
        code=session.code,
        service=session.service,
        menu=session.menu,
        language=session.language,
        began=moment(session.started_at),
        ended=moment(at),
        turns=session.turn + 1,
        path=session.path + last,
        cause=cause,
        charges=tuple(Charge(call, id) for call, id in session.charges),
        resumed=session.resumed,
    )


def sms_record(
    direction: Literal["mo", "mt"],
    msisdn: str,
    network: str,
    link: str,
    address: str,
    service: str,
    at: float,
    parts: int,
    outcome: str,
    sms_id: str = "",
) -> Callable[[int], SmsRecord]:
    """The record of an SMS, once its number is known; `at`: seconds since 1970."""
    return lambda seq: SmsRecord(
        seq, direction, msisdn, network, link, address, service, moment(at), parts, outcome, sms_id
    )


def moment(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
