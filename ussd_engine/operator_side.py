"""What operators ask of a running engine over HTTP, signed with a key of theirs: `ussd-engine reload`, `history`, and
the recordings of `dial --save`. Every question is logged with who asked it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from aiohttp import web

from sessions.store import StoreAway

from . import history
from .binds import Binds
from .link_states import LinkStates
from .menu_watch import MenuWatch
from .recordings import Recordings
from .signed import ClientKeys, Refused, problem, read_signed
from .trace import Traces

RELOAD_PATH = "/v1/menus/reload"
HISTORY_PATH = "/v1/history"
LINKS_PATH = "/v1/links"
TRACE_PATH = "/v1/links/trace"
RECORDING_BEGIN_PATH = "/v1/recordings/begin"
RECORDING_TAKE_PATH = "/v1/recordings/take"


class Question(msgspec.Struct, frozen=True):
    """Who asks, and about which number."""

    by: str
    """The person, as their machine knows them."""
    msisdn: str = ""
    link: str = ""
    seconds: float = 0.0
    """How long a link is traced; 0: no more."""


Histories = Callable[[str], Awaitable[list[bytes]]]
"""The dialogues kept of a number. Raises StoreAway."""
_question = msgspec.json.Decoder(Question)


class OperatorSide:
    """The operators' part of the HTTP side."""

    def __init__(
        self,
        watch: MenuWatch,
        histories: Histories | None,
        recordings: Recordings,
        operators: ClientKeys,
        states: LinkStates,
        binds: Binds,
        traces: Traces,
    ) -> None:
        """`histories` None: none are kept."""
        self._watch = watch
        self._histories = histories
        self._recordings = recordings
        self._operators = operators
        self._states = states
        self._binds = binds
        self._traces = traces
        self._log = structlog.get_logger()

    @property
    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        served: dict[str, Callable[[Question], Awaitable[dict[str, Any]]]] = {
            RELOAD_PATH: self._reload,
            HISTORY_PATH: self._history,
            LINKS_PATH: self._links,
            TRACE_PATH: self._trace,
            RECORDING_BEGIN_PATH: self._begin_recording,
            RECORDING_TAKE_PATH: self._take_recording,
        }
        return [web.post(path, self._answering(answer)) for path, answer in served.items()]

    def _answering(
        self, answer: Callable[[Question], Awaitable[dict[str, Any]]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                signed = await read_signed(request, self._operators)
                question = _question.decode(signed.body)
            except Refused as error:
                return problem(error.status, str(error))
            except msgspec.MsgspecError as error:
                return problem(422, str(error))
            asked = {"msisdn": question.msisdn} if question.msisdn else {}
            asked |= {"link": question.link} if question.link else {}
            self._log.info("asked by an operator", what=request.path, client=signed.client, by=question.by, **asked)
            try:
                return web.json_response(await answer(question))
            except StoreAway as error:
                return problem(503, str(error))

        return handle

    async def _reload(self, _question: Question) -> dict[str, Any]:
        mistakes = await self._watch.reload()
        self._watch.look_at_switches()
        listed = [{**each.place._asdict(), "what": each.what, "cure": each.cure} for each in mistakes]
        return {"ok": not mistakes, "version": self._watch.state.version, "mistakes": listed}

    async def _history(self, question: Question) -> dict[str, Any]:
        if self._histories is None:
            return {"kept": False, "dialogues": []}
        found = [history.from_octets(octets) for octets in await self._histories(question.msisdn)]
        whole = history.together(each for each in found if each is not None)
        return {"kept": True, "dialogues": [_told(each) for each in whole]}

    async def _links(self, _question: Question) -> dict[str, Any]:
        in_flight = self._binds.in_flight()
        told = [self._states.told(name, in_flight.get(name, 0)) for name in self._states.all()]
        return {"links": [{**each, "traced": self._traces.is_on(each["link"])} for each in told]}

    async def _trace(self, question: Question) -> dict[str, Any]:
        if question.link not in self._states.all():
            return {"ok": False}
        if question.seconds > 0:
            self._traces.begin(question.link, question.seconds)
        else:
            self._traces.end(question.link)
        return {"ok": True}

    async def _begin_recording(self, question: Question) -> dict[str, Any]:
        self._recordings.begin(question.msisdn)
        return {"ok": True}

    async def _take_recording(self, question: Question) -> dict[str, Any]:
        found = self._recordings.take(question.msisdn)
        if found is None:
            return {"ok": False}
        return {"ok": True, "language": found.language, "calls": found.calls, "secret": found.secret_turns}


def _told(dialogue: history.Dialogue) -> dict[str, Any]:
    return {**msgspec.structs.asdict(dialogue), "turns": [msgspec.structs.asdict(turn) for turn in dialogue.turns]}
