"""Turns: what is asked of the engine, what it answers, and what it needs for that (async over ports only).

Rules of this file and of `taking`:
- A session that remembers a changing call is kept before the call is made; a turn that comes back to it, after a crash
  or a repeat, asks under the same id. A call with a secret is never made again: its outcome is asked for.
- Whatever happens, the subscriber gets a screen: errors of ours become the engine's own words in `taking`, and nowhere
  else.
- A turn that finds another one has been faster says nothing.
- A repeat gets the same screen, or nothing while its turn is being worked on, and is walked once (`repeats`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from billing.calls import Billing, Call, Outcome
from sessions.neighbours import Alone, Neighbours
from sessions.session import Session, UnreadableSession, stamp_of
from sessions.store import Store, StoreAway

from .config import Link
from .dial_string import Dialled
from .greeting import Greetings
from .language import walk
from .language.menu import Service
from .language.pages import cut
from .language.walk import Mark, Terms
from .record import USER_ABORT
from .repeats import Sameness
from .versions import Versions

ENDED_SECONDS = 60.0
"""How long an ended dialogue is remembered, so that a repeat of its last input gets the same screen."""
HANG_UP_TRIES = 3
"""A turn that is being worked on keeps its session a few times; who hangs up tries as often."""
GRACE_SECONDS = 15.0
"""So long after its last moment a silent dialogue lies in the store, so that its end can be told (`chronicle`)."""


class Begin(NamedTuple):
    """A code was dialled. `dialled` None: something that is none of ours. `until`: the turn's deadline on the clock;
    `reference`: the peer's session number in hex, "" where it has none."""

    msisdn: str
    link: Link
    dialled: Dialled | None
    mark: str
    until: float
    reference: str = ""
    by_us: bool = False
    """It is a push: nobody has dialled."""
    sameness: Sameness = Sameness()


class Over(NamedTuple):
    """Dialogues of a number that are over, whatever the store has of them: the one with this id, and all that began
    before a moment (seconds since 1970)."""

    session_id: str
    before: float

    def has(self, session: Session) -> bool:
        """Whether it is one of them."""
        return session.id == self.session_id or session.started_at < self.before


NOTHING_OVER = Over("", 0.0)


class Answer(NamedTuple):
    """Something was typed on the screen that the subscriber sees.

    `dialled`: what it would begin if there is no dialogue, where the peer does not say what it is.
    """

    msisdn: str
    link: Link
    text: str
    mark: str
    until: float
    dialled: Dialled | None = None
    reference: str = ""
    over: Over = NOTHING_OVER
    sameness: Sameness = Sameness()

    def as_begin(self, dialled: Dialled) -> Begin:
        """What the peer does not name is a begin after all."""
        return Begin(self.msisdn, self.link, dialled, self.mark, self.until, self.reference, sameness=self.sameness)


class Reply(NamedTuple):
    """A screen to send; `ends` closes the dialogue. `again`: what is sent in its place when it is repeated."""

    text: str
    ends: bool
    again: str = ""


class Witness(Protocol):
    """Who is told what happened, to count it and to write it down."""

    def records(self, msisdn: str) -> bool:
        """Whether the number's dialogue is being made into a test: that begins at the beginning."""
        ...

    def call_made(self, call: Call, outcome: Outcome, seconds: float) -> None:
        """A call ended."""

    def happened(self, service: str, marks: tuple[Mark, ...]) -> None:
        """What happened on the screens of a service."""

    def turn_kept(self, session: Session, typed: str, *, secret: bool) -> None:
        """A turn was taken and its session kept. `typed`: as it may be told to customer care."""

    def ended(self, session: Session, cause: str) -> None:
        """A dialogue is over: `record.CAUSES`."""

    def failed(self, what: str, msisdn: str) -> None:
        """A fault of ours that a subscriber has seen as `try again`."""


class Ports(NamedTuple):
    """What a turn reaches the world through. `now`: monotonic seconds; `wall_clock`: seconds since 1970."""

    versions: Versions
    store: Store
    billing: Billing
    greetings: Greetings
    witness: Witness
    now: Callable[[], float]
    wall_clock: Callable[[], float]
    new_id: Callable[[], str]
    idle_seconds: float
    process: str = ""
    """Which engine process this is."""
    admits_start: Callable[[str, Link], bool] = lambda _msisdn, _link: True
    """Whether a number may begin one more dialogue."""
    ask_on: Callable[[Call], None] = lambda _question: None
    """Goes on asking what became of a change, when its turn is over."""
    neighbours: Neighbours = Alone()
    """The other engine processes."""


class Turns:
    """What all turns of a process share. It keeps nothing between two of them but what the ports keep."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.off: frozenset[str] = frozenset()
        """What is switched off for maintenance."""
        self._terms: dict[str, Terms] = {}

    def switch_off(self, names: frozenset[str]) -> None:
        """From now on, these services, screens and options say that they are being worked on."""
        self.off = names
        self._terms.clear()

    async def hang_up(
        self, msisdn: str, link: Link, cause: str = USER_ABORT, reference: str = "", begun_by: str = ""
    ) -> None:
        """The dialogue is over without a screen: the subscriber or the network ended it, on its own link.

        `begun_by`: the mark of the only input that it may have had; a dialogue that has gone on, or another, stays.
        """
        ports = self.ports
        try:
            for _ in range(HANG_UP_TRIES):
                session = await ports.store.load(msisdn)
                if session is None or session.link != link.name or is_another(session, reference):
                    return
                if session.hung_up or (begun_by and session.input_mark != begun_by):
                    return
                if await self._hung_up(session):
                    if not session.ended:
                        ports.witness.ended(session, cause)
                    return
        except (StoreAway, UnreadableSession) as error:
            ports.witness.failed(f"{type(error).__name__}: {error}", msisdn)

    async def _hung_up(self, session: Session) -> bool:
        """Ends the dialogue in the store; False when a turn came between."""
        ports = self.ports
        service = await ports.versions.of(session.service, session.menu)
        if service is None or not service.resume_seconds or not walk.can_be_resumed(service, session):
            await ports.store.forget(session.msisdn, session.id)
            return True
        cut_off = replace(session, version=session.version + 1, at=ports.wall_clock(), hung_up=True)
        return await ports.store.save(cut_off, stamp_of(session), service.resume_seconds)

    async def is_in_dialogue(self, msisdn: str) -> bool:
        """Whether the number has a dialogue that goes on, wherever. Raises StoreAway."""
        ports = self.ports
        try:
            session = await ports.store.load(msisdn)
        except UnreadableSession:
            return True  # of another release: it is somebody's
        return session is not None and not is_over(session) and ports.wall_clock() - session.at < ports.idle_seconds

    async def refer(self, msisdn: str, mark: str, reference: str) -> None:
        """The dialogue that this input has begun goes on under this session number of the peer's.

        Its version stays: a turn that has begun meanwhile is not disturbed, and knows the number from its own input.
        """
        ports = self.ports
        try:
            session = await ports.store.load(msisdn)
            if session is not None and session.input_mark == mark and not session.ended:
                known = replace(session, reference=reference)
                await ports.store.save(known, stamp_of(session), ports.idle_seconds + GRACE_SECONDS)
        except (StoreAway, UnreadableSession) as error:
            ports.witness.failed(f"{type(error).__name__}: {error}", msisdn)

    def own_words(self, screen: str, link: Link, language: str = "") -> Reply:
        """A closing screen of the engine's own."""
        text = self.ports.versions.current.words(screen, language or link.network.language)
        return Reply(cut(text, link.dialect.screen), True)

    def terms(self, link: Link) -> Terms:
        """Under what screens are made on this link."""
        if link.name not in self._terms:
            network = link.network
            self._terms[link.name] = Terms(
                link.dialect.screen, network.country, network.currency, ZoneInfo(network.time_zone), link.config.trust,
                self.off,
            )  # fmt: skip
        return self._terms[link.name]


def is_over(session: Session) -> bool:
    """Whether nothing can be answered in it any more."""
    return session.ended or session.hung_up


def is_another(session: Session, reference: str) -> bool:
    """Whether an input with this session number of the peer's belongs to another dialogue than this one. A number that
    is missing, there or here, says nothing."""
    return bool(reference and session.reference) and reference != session.reference


def spoken_language(chosen: str, network: str, service: Service) -> str:
    """The subscriber's language where the service has it, else the network's, else Russian, which every network's
    subscribers read, else the service's first."""
    for language in (chosen, network, "ru"):
        if language in service.languages:
            return language
    return next(iter(service.languages))
