"""Going on after a cut: who is asked, what is kept meanwhile, and what the answer means (pure).

The question is a screen of the engine's own (`menus/engine.yaml`, `resume`): 1 goes on, anything else of use is 2.
"""

from __future__ import annotations

from msgspec.structs import replace

from sessions.session import Session

from . import walk
from .answers import NO_SUCH_OPTION
from .menu import Service
from .walk import Show

RESUME = "resume"
GO_ON, ANEW = "1", "2"


def is_offered(service: Service, cut_off: Session, now: float) -> bool:
    """Whether whoever dials the service again is asked to go on.

    `service`: in the version that the dialogue began with; `now`: seconds since 1970.
    """
    in_time = 0 <= now - cut_off.at <= service.resume_seconds
    return in_time and cut_off.service == service.id and walk.can_be_resumed(service, cut_off)


def question(cut_off: Session, begun: Session, words: str) -> Session:
    """The new dialogue, standing on the question, with everything that the old one held."""
    return replace(
        cut_off,
        id=begun.id,
        link=begun.link,
        reference=begun.reference,
        status=begun.status,
        brand=begun.brand,
        started_at=begun.started_at,
        code=begun.code,
        turn=0,
        version=0,
        path=(),
        asking=RESUME,
        resumed=cut_off.id,
        shown=words,
        hung_up=False,
    )


def asked_again(session: Session) -> Show:
    """The question once more, with the reason above it: what was typed is no answer to it."""
    asked = replace(session, turn=session.turn + 1)
    return Show(asked, f"{NO_SUCH_OPTION[session.language]}\n{session.shown}", False)


def goes_on(session: Session) -> Session:
    """The dialogue as it was when it was cut off."""
    return replace(session, asking="", turn=session.turn + 1)


def anew(session: Session, service: Service) -> Session:
    """The dialogue as if it had just been dialled, in the version in force."""
    return Session(
        id=session.id, msisdn=session.msisdn, link=session.link, reference=session.reference, network=session.network,
        brand=session.brand, status=session.status, language=session.language, service=service.id,
        menu=service.version, started_at=session.started_at, turn=session.turn, version=session.version,
        code=session.code, owner=session.owner, travelled=session.travelled, counts=session.counts,
        begun_by=session.begun_by,
    )  # fmt: skip
