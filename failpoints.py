"""Failpoints: named points where a process ends as if it had been killed, to try what a crash there leaves behind.

`USSD_FAILPOINT=confirm_sent` in the environment of a program ends it when it passes that point, `confirm_sent:3` when
it passes it for the third time. A leaf: it imports nothing of ours, and anyone may import it.

Rules of this file:
- Each point is passed in one place of the code (`tests/unit/leaves/test_failpoints.py`); `POINTS` says what has
  happened there, and what has not.
- What is unset costs a call that does nothing: whether a point is armed is decided once, when this is imported.
- The end is `os._exit`: nothing is flushed, closed or told, as with `kill -9`. What was written to a socket before has
  left it where the point says so (`written`): a point is where the *peer* has something and we have not gone on.
- Never in production: `refusal` is asked by both programs before they begin.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

VARIABLE: Final = "USSD_FAILPOINT"
EXIT_CODE: Final = 86
"""Of a process that a failpoint has ended; nothing else ends one with it."""
ENGINE: Final = "ussd-engine"
CORE: Final = "billing-core"
_LEAVES_SECONDS: Final = 0.05
"""In which what was written leaves, and the peer reads it: a peer that finds the end of the connection right behind a
request may not even begin with it."""


class Point(NamedTuple):
    """A failpoint: the program that passes it, and how far it has come there."""

    program: str
    means: str


POINTS: Final[Mapping[str, Point]] = {
    "pdu_parsed": Point(ENGINE, "A message of a dialogue or an SMS was read, and neither answered nor worked on."),
    "pdu_answered": Point(ENGINE, "A message of a dialogue was accepted on the wire; its turn has not begun."),
    "session_saved": Point(ENGINE, "Redis has the dialogue: before a changing call is made, or its screen sent."),
    "quote_sent": Point(ENGINE, "The request for a quote is with the core, and no answer was read."),
    "confirm_sent": Point(ENGINE, "The confirmation of a quote is with the core, and no answer was read."),
    "core_answered": Point(ENGINE, "The answer to a confirmation was read, and nothing of it kept or shown."),
    "screen_submitted": Point(ENGINE, "A screen was written to the peer, and not accepted yet."),
    "sms_done": Point(ENGINE, "The core has done what an SMS asked for, and the SMSC has no answer to it."),
    "sms_submitted": Point(ENGINE, "A part of an SMS was written to the SMSC, and no response was read."),
    "sms_accepted": Point(ENGINE, "The SMSC's response to a part of an SMS was read, and the core not told."),
    "quote_committed": Point(CORE, "A quote is in the database, and not answered."),
    "claimed": Point(CORE, "A quote is locked, to be confirmed; no money has moved in the transaction yet."),
    "committed": Point(CORE, "A change that is no quote is in the database, and not answered; no biller was asked."),
    "biller_asked": Point(CORE, "A biller has answered, or its time is over, and nothing is settled."),
    "fenced": Point(CORE, "A quote is being ended that was not confirmed; the transaction is open, nobody told."),
    "notice_row": Point(CORE, "A notice was written, and its transaction is open."),
    "notice_leased": Point(CORE, "The relay has taken a notice on, and not handed it over."),
    "notice_taken": Point(CORE, "The engine has said what became of a notice, and the database does not know."),
    "sms_marked": Point(CORE, "The database knows what became of a notice, and the relay has not gone on."),
}
"""Every failpoint by its name."""


class Mistake(ValueError):
    """The variable names no failpoint; the text is one line for an operator."""


class _Armed:
    """The one point at which this process ends."""

    def __init__(self, text: str) -> None:
        """`text`: the variable's. Raises Mistake."""
        self._name, colon, times = text.partition(":")
        if self._name not in POINTS or (colon and not (times.isascii() and times.isdecimal() and int(times))):
            names = ", ".join(POINTS)
            raise Mistake(f"{VARIABLE} is '{text}': write a point, or point:times, such as confirm_sent:3; of {names}")
        self._left = int(times or 1)

    def passed(self, name: str) -> None:
        if self._is_last(name):
            _end(name)

    async def written(self, name: str) -> None:
        if self._is_last(name):
            await asyncio.sleep(_LEAVES_SECONDS)
            _end(name)

    def _is_last(self, name: str) -> bool:
        if name == self._name:
            self._left -= 1
        return name == self._name and not self._left


def _end(name: str) -> None:
    sys.stderr.write(f"failpoint {name}: the process ends\n")
    sys.stderr.flush()
    os._exit(EXIT_CODE)


def _passed(_name: str) -> None:
    """No point is armed."""


async def _written(_name: str) -> None:
    """No point is armed."""


def _made(text: str) -> tuple[Callable[[str], None], Callable[[str], Awaitable[None]]]:
    """`passed` and `written` for what the variable says. What is no point arms none: `refusal` tells of it."""
    try:
        armed = _Armed(text) if text else None
    except Mistake:
        armed = None
    return (armed.passed, armed.written) if armed is not None else (_passed, _written)


def refusal(environment: Mapping[str, str], *, production: bool) -> str | None:
    """Why a program must not begin with what this environment says, in one line; None when it may."""
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    if production:
        return f"{VARIABLE} is set, and `production: true`: failpoints are for trying"
    try:
        _Armed(text)
    except Mistake as mistake:
        return str(mistake)
    return None


is_armed: Final = bool(os.environ.get(VARIABLE))
"""Whether this process is to end at a point: for what would cost something where none is armed."""
passed, written = _made(os.environ.get(VARIABLE, ""))
"""`passed(name)`: the process has come to this point, and ends here if it is armed. `await written(name)`: the same,
once what was written before has left; whoever awaits does not go on meanwhile."""
