"""What the core answered in the dialogues of a number, kept in memory for whoever makes a test of them.

`ussd-engine dial --save` asks for it: only for a number that an operator's key has named, only for a few minutes, only
in this process, and never a secret that was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from billing.calls import Call, Done, Outcome, Refused

from .language.talk_answers import outcome_word

KEPT_SECONDS = 600.0
CALLS_MAX = 200
NUMBERS_MAX = 100


class Recording:
    """The calls of one number, in order, and which of its answers were secret."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.calls: list[dict[str, Any]] = []
        self.secret_turns: list[bool] = []
        self.language = ""


class Recordings:
    """Usually none: then it costs a turn one look."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: monotonic seconds."""
        self._now = now
        self._numbers: dict[str, Recording] = {}

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def __contains__(self, msisdn: str) -> bool:
        return msisdn in self._numbers

    def begin(self, msisdn: str) -> None:
        """From now on the number's calls are kept; what was kept before is gone."""
        now = self._now()
        self._numbers = {number: each for number, each in self._numbers.items() if each.until > now}
        if len(self._numbers) < NUMBERS_MAX:
            self._numbers[msisdn] = Recording(now + KEPT_SECONDS)

    def take(self, msisdn: str) -> Recording | None:
        """What was kept; it is kept no longer."""
        found = self._numbers.pop(msisdn, None)
        return found if found is not None and found.until > self._now() else None

    def call(self, call: Call, outcome: Outcome) -> None:
        """A call has ended."""
        recording = self._numbers.get(call.msisdn)
        if recording is not None and len(recording.calls) < CALLS_MAX:
            recording.calls.append({"call": call.operation, "outcome": _written(outcome)})

    def turn(self, msisdn: str, language: str, *, secret: bool) -> None:
        """A turn was taken: a code was dialled, or an answer typed."""
        recording = self._numbers.get(msisdn)
        if recording is not None:
            recording.language = recording.language or language
            recording.secret_turns.append(secret)


def _written(outcome: Outcome) -> str | Mapping[str, Any]:
    """An outcome as a test writes it."""
    if isinstance(outcome, Done):
        return {"done": dict(outcome.result)}
    if isinstance(outcome, Refused):
        return {"refused": outcome.code, **({"with": dict(outcome.details)} if outcome.details else {})}
    return outcome_word(outcome)
