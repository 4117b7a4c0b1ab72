"""What is repeated, where and when, and what must come of it: the table behind `repeats` (pure).

A repeat is the same octets under the same sequence number of the same bind; the same session and sequence where the
dialect counts; or any input before our screen was accepted. It gets the same screen, or nothing while its turn is being
worked on or when the dialogue has gone past it. Everything else is an input of its own.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ussd_engine.dialect import Kind

KCELL, MEGACOM = "kcell", "megacom"


class Place(StrEnum):
    """Where the repeat comes, seen from where the input came."""

    LINK = "same bind"
    BIND = "another bind"
    ENGINE = "another engine"


class Moment(StrEnum):
    """When it comes."""

    AT_ONCE = "at once"
    WORKING = "while worked on"
    UNSEEN = "before acceptance"
    ACCEPTED = "after acceptance"
    ENDED = "after the end"


class Outcome(StrEnum):
    """What comes of it."""

    COPIES = "the same screen, or nothing"
    NOTHING = "nothing"
    SAME = "the same screen"
    NEW = "a screen of its own"
    CLOSED = "to dial again"


@dataclass(frozen=True)
class Script:
    """What a subscriber does until the input that is repeated, and after it. `digits` and `pin` stand for what is only
    known then; `postings`: of the ledger."""

    name: str
    network: str
    lead: tuple[str, ...]
    said: str
    kind: Kind = Kind.REPLY
    operation: str = ""
    postings: int = 0
    then: str = ""
    """What is typed next; "" where the input ends the dialogue."""
    confidential: bool = False
    """Its screen is shown once, and told otherwise when it is repeated."""

    @property
    def ends(self) -> bool:
        """Whether the input has the dialogue's last screen."""
        return not self.then and self.kind is not Kind.ABORT


SCRIPTS: Final = (
    Script("begin", KCELL, (), "*166*1#", Kind.BEGIN, then="1"),
    Script("begin that changes", KCELL, (), "*245#", Kind.BEGIN, "cabinet.temporary_password"),
    Script("answer", KCELL, ("*166#",), "1", then="1"),
    Script("answer that changes", KCELL, ("*166*9#",), "2", operation="subscribers.set_language", then="2"),
    Script("two digits", KCELL, ("*166*1#", "tariff", "1"), "digits", Kind.REPLY, "tariffs.confirm", 1),
    Script("two digits, told once", KCELL, ("*222#", "brand", "prefix", "2", "1", "1", "1", "1", "reserve"), "digits",
           Kind.REPLY, "numbers.reserve", 1, confidential=True),
    Script("PIN", MEGACOM, ("payment",), "pin", Kind.REPLY, "wallet.confirm", 1),
    Script("abort", KCELL, ("*166#",), "", Kind.ABORT),
)  # fmt: skip
DIALECTS: Final = {KCELL: ("standard", "mica", "glo-data-sm", "spec"), MEGACOM: ("standard", "glo-data-sm", "spec")}
COUNTED: Final = frozenset({"spec"})
"""Dialects in which the peer counts."""


class Sent(StrEnum):
    """An SMS that is repeated, or what tells of one."""

    LANGUAGE = "SMS that changes"
    BALANCE = "SMS that asks"
    CODE = "SMS with a code"
    RECEIPT = "receipt"


@dataclass(frozen=True)
class Case:
    """One repeat. `what`: a script's, or an SMS."""

    what: Script | Sent
    dialect: str
    place: Place
    moment: Moment
    number: int

    @property
    def name(self) -> str:
        """Of its kind."""
        return self.what.value if isinstance(self.what, Sent) else self.what.name

    def __str__(self) -> str:
        return f"{self.name}, {self.place}, {self.moment}, {self.dialect} (case {self.number})"


def _makes_sense(what: Script | Sent, dialect: str, place: Place, moment: Moment) -> bool:
    if isinstance(what, Sent):
        if what is Sent.RECEIPT:
            return moment in (Moment.AT_ONCE, Moment.ACCEPTED)
        return moment in (Moment.AT_ONCE, Moment.WORKING, Moment.ACCEPTED)
    if what.kind is Kind.ABORT:  # on another bind, and without a session number, it would end the next dialogue
        may_be_told_apart = place is Place.LINK or dialect != "standard"
        return moment in (Moment.AT_ONCE, Moment.ACCEPTED) or (moment is Moment.ENDED and may_be_told_apart)
    return True


def cases(count: int, chance: random.Random) -> Iterator[Case]:
    """So many, or as many as it takes for each kind, place and moment that makes sense to occur."""
    whats: tuple[Script | Sent, ...] = (*SCRIPTS, *Sent)
    some: list[tuple[Script | Sent, Place, Moment]] = []
    for what, place, moment in itertools.product(whats, Place, Moment):
        if any(_makes_sense(what, dialect, place, moment) for dialect in _dialects(what)):
            some.append((what, place, moment))
    total = max(count, len(some))
    drawn = [*some, *(chance.choice(some) for _ in range(total - len(some)))]
    chance.shuffle(drawn)
    for number, (what, place, moment) in enumerate(drawn):
        able = [each for each in _dialects(what) if _makes_sense(what, each, place, moment)]
        yield Case(what, chance.choice(able), place, moment, number)


def _dialects(what: Script | Sent) -> tuple[str, ...]:
    return ("standard",) if isinstance(what, Sent) else DIALECTS[what.network]


def expected(script: Script, case: Case) -> Outcome:
    """What must come of the repeat."""
    if script.kind is Kind.ABORT:
        return Outcome.NOTHING
    if case.moment is Moment.AT_ONCE:
        return Outcome.COPIES
    if case.moment is Moment.WORKING:  # another engine finds out only when it would keep what it has begun
        is_found_late = script.kind is Kind.BEGIN and case.place is Place.ENGINE
        return Outcome.COPIES if is_found_late else Outcome.NOTHING
    if case.moment is Moment.UNSEEN:
        return Outcome.SAME
    is_begin = script.kind is Kind.BEGIN
    of_its_own = Outcome.NEW if is_begin or not (script.ends or case.moment is Moment.ENDED) else Outcome.CLOSED
    if case.moment is Moment.ACCEPTED:
        return Outcome.SAME if case.place is Place.LINK or case.dialect in COUNTED else of_its_own
    is_known_by_count = case.dialect in COUNTED and case.place is Place.BIND and not script.ends
    if case.place is Place.LINK or is_known_by_count:
        return Outcome.NOTHING
    return Outcome.SAME if case.dialect in COUNTED and script.ends else of_its_own
