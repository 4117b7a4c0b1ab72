"""One call to the billing core, the four ways it can end, and the port through which it is made.

Rules of this file (pure; the port has no body):
- A refusal is an answer, not an error. What is not known is never taken for "no": `Unknown` is asked about by id.
- The id is made before the call and stands for the intent: asked again under it, the core does nothing a second time.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeAlias

from billing.contract import Value

_CALLS = uuid.UUID("5d3fe3a6-2c52-5f0a-9d0b-6e6f1f7c9a41")
"""The namespace of call ids. Changing it would make every call in flight a new one."""


class Call(NamedTuple):
    """An operation asked for: `id` is a UUID in text, `msisdn` the subscriber it is about, `language` of the answer.

    `by_sms`: the answer is wanted by SMS. A change that has a notice for its answer (`Operation.answer_notice`) writes
    it when it is done; a refusal, and what a reading operation tells, is for the caller to send. `by`: the number of
    who manages the subscriber's and asks in their place; "" when it is the subscriber.
    """

    id: str
    operation: str
    msisdn: str
    language: str
    arguments: Mapping[str, Value]
    by_sms: bool = False
    by: str = ""

    def __repr__(self) -> str:
        """Names arguments without their values, which may be secret, and only the end of the number."""
        by_sms = " by SMS" if self.by_sms else ""
        return f"Call({self.operation} {self.id} …{self.msisdn[-4:]} {self.language} {sorted(self.arguments)}{by_sms})"


class Done(NamedTuple):
    """The core did it. `result` has the operation's results, checked against the contract."""

    result: Mapping[str, Value]


class Refused(NamedTuple):
    """The core will not do it, now or later under this id. `code` is one of the operation's refusals."""

    code: str
    details: Mapping[str, Value]


class Unknown(NamedTuple):
    """It was sent and no usable answer came in time: it may have happened. `why` is for the log."""

    why: str


class NotMade(NamedTuple):
    """This try certainly did nothing: nothing was sent, or the core said that nothing was done. `why` is for the log.

    It says nothing of an earlier try under the same id: when a turn is repeated whose call may have been sent before,
    it has to be taken as `Unknown`. `for_ever`: the call is a mistake, and will be one whenever it is tried again.
    """

    why: str
    for_ever: bool = False


Outcome: TypeAlias = Done | Refused | Unknown | NotMade


class Billing(Protocol):
    """The billing core as the engine sees it."""

    async def perform(self, call: Call, seconds_max: float) -> Outcome:
        """Makes the call and waits at most `seconds_max`. Raises only for a mistake of the program: an operation that
        the contract lacks (KeyError). Every business answer and every failure of the network is an outcome."""
        ...


def call_id(session_id: str, turn_number: int, operation: str) -> str:
    """The id of the call that a turn makes: the same turn, repeated or restarted, asks under the same id."""
    return str(uuid.uuid5(_CALLS, f"{session_id}\n{turn_number}\n{operation}"))
