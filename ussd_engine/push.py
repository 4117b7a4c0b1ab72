"""Network-initiated dialogues: `POST /v1/dialogues`, signed, begins a dialogue with a number from our side.

Rules of this file (a shell; the dialogue goes on in `dialogues`):
- A menu is begun as if its code had been dialled on the link over which it goes: what is closed to a link or is
  confidential stays so. A notification is a text a language, which must fit one screen.
- A number that is in a dialogue, in any engine, is busy.
- An id stands for one dialogue: whoever asks again under it within ten minutes gets the same answer, and nothing is
  begun twice. What was refused before anything was begun may be asked again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog
from aiohttp import web

from billing.contract import LANGUAGES
from sessions.store import StoreAway
from smpp import constants

from . import dial_string, msisdn
from .binds import Binds
from .config import Link, Network
from .dial_string import Dialled
from .dialect import Dialect, Kind
from .dialogues import Dialogues
from .exchange import Fate, Pushed
from .greeting import Greetings
from .language.pages import fits, measure
from .metrics import Metrics
from .over_smpp import CODE_CHARACTERS_MAX, Message
from .peer_config import RouteConfig
from .signed import ClientKeys, Refused, problem, read_signed
from .turn import Reply, Turns
from .versions import Versions
from .work import Work

if TYPE_CHECKING:
    from smpp.link import Link as Bind

PATH = "/v1/dialogues"
KNOWN_SECONDS = 600.0
"""How long an id is remembered with its answer: longer than a signature is good for."""
KNOWN_MAX = 100_000
_CODE = re.compile(r"\*[0-9]{1,10}(\*[0-9A-Za-z+]{0,40}){0,18}#\Z")
BUSY = "the number is busy: it is in a dialogue"
_ANSWERS = {
    Fate.REFUSED: (503, "the peer refused the screen"),
    Fate.SILENT: (504, "the peer did not say whether it took the screen: it may have been seen"),
    Fate.NO_LINK: (503, "nobody is bound who could carry the screen"),
    Fate.OVERTAKEN: (409, BUSY),
    Fate.FAILED: (503, "the first screen could not be made in time; nothing was sent"),
}


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for. `code`: what is walked as if it were dialled, and from whose service code the screen comes;
    `notify`: language → a text that is only to be seen, in place of a menu."""

    id: str
    msisdn: str
    network: str
    code: str
    notify: dict[str, str] | None = None


class Way(NamedTuple):
    """On which bind of which link a push leaves."""

    bind: Bind
    link: Link


_read = msgspec.json.Decoder(Wanted)


class Pushes:
    """Begins dialogues from our side."""

    def __init__(
        self,
        dialogues: Dialogues,
        turns: Turns,
        binds: Binds,
        links: Mapping[str, Link],
        routes: Mapping[str, RouteConfig],
        networks: Mapping[str, Network],
        work: Work,
    ) -> None:
        self._dialogues = dialogues
        self._turns = turns
        self._binds = binds
        self._links = links
        self._routes = routes
        self._networks = networks
        self._work = work
        self._versions: Versions = turns.ports.versions
        self._greetings: Greetings = turns.ports.greetings

    async def begin(self, wanted: Wanted) -> Pushed:
        """Begins it; what became of its first screen. Raises Refused before anything is begun, and StoreAway."""
        network = self._networks.get(wanted.network)
        if network is None:
            raise Refused(422, "network: no such network")
        if msisdn.from_address(wanted.msisdn, msisdn.TON_INTERNATIONAL, network.country) != wanted.msisdn:
            raise Refused(422, "msisdn: must be the digits of an international number of the network's country")
        dialled = self._dialled(wanted)
        if not self._work.takes_new:
            raise Refused(503, "the engine is stopping, or there is too much at once")
        subscriber = await self._greetings.ask(wanted.msisdn, network.language)
        if subscriber is None:
            raise Refused(422, "msisdn: the number is not served")
        busy = await self._turns.is_in_dialogue(wanted.msisdn)
        if busy or self._dialogues.is_busy(wanted.msisdn):  # from here to the push, nothing is awaited
            raise Refused(409, BUSY)
        way = self._way(wanted)
        first = dialled if wanted.notify is None else _notification(wanted.notify, subscriber.language, network, way)
        code = f"*{dialled.parts[0]}#"
        message = Message(Kind.BEGIN, wanted.msisdn, code, "", None, f"push/{wanted.id}", counted=True)
        return await self._dialogues.push(way.bind, way.link, message, first)

    def _dialled(self, wanted: Wanted) -> Dialled:
        """What the code says, when a service of the network has it. Raises Refused."""
        dialled = dial_string.parse(wanted.code) if _CODE.match(wanted.code) else None
        if dialled is None or len(dialled.parts[0]) + 2 > CODE_CHARACTERS_MAX:
            raise Refused(422, "code: must be a dialled string as *111*3#")
        found = self._versions.current.find(wanted.network, dialled.parts)
        if found is None:
            raise Refused(422, "code: no service of the network has it")
        if found.service.id in self._turns.off:
            raise Refused(503, "the service is switched off for maintenance")
        return dialled

    def _way(self, wanted: Wanted) -> Way:
        """Where the number was last heard, if the route has that link, else its first link that is bound. Raises
        Refused."""
        route = self._routes.get(wanted.network)
        able = [name for name in route.links if self._can(name, wanted)] if route is not None else []
        if not able:
            raise Refused(422, "network: no link of its route can begin a dialogue of this kind")
        bind = self._binds.for_sms(wanted.msisdn, able)
        link = self._binds.link_of(bind) if bind is not None else None
        if bind is None or link is None:
            raise Refused(503, "nobody is bound who could carry the screen")
        return Way(bind, link)

    def _can(self, name: str, wanted: Wanted) -> bool:
        link = self._links[name]
        return link.config.network == wanted.network and _pushes(link.dialect, notifies=wanted.notify is not None)


def _pushes(dialect: Dialect, *, notifies: bool) -> bool:
    """Whether a dialect has the words. A menu may end with its first screen, which is then one to be seen."""
    return dialect.ops.notify is not None and (notifies or dialect.ops.push is not None)


def _notification(texts: Mapping[str, str], chosen: str, network: Network, way: Way) -> Reply:
    """The text in the subscriber's language, else the network's, else Russian, else the first. Raises Refused where
    any of them is none or does not fit."""
    limits = way.link.dialect.screen
    for language, text in texts.items():
        if language not in LANGUAGES:
            raise Refused(422, f"notify: languages are {', '.join(LANGUAGES)}")
        if not text.strip():
            raise Refused(422, f"notify.{language}: must have a text")
        if not fits(text, limits):
            length, unit = measure(text)
            most = limits.septets if unit == "septets" else limits.ucs2_units
            raise Refused(422, f"notify.{language}: has {length} {unit}, a screen of this link holds {most}")
    if not texts:
        raise Refused(422, "notify: must have a text in a language")
    language = next((each for each in (chosen, network.language, "ru") if each in texts), next(iter(texts)))
    return Reply(texts[language], True)


class PushSide:
    """`POST /v1/dialogues`."""

    def __init__(self, pushes: Pushes, clients: ClientKeys, metrics: Metrics, now: Callable[[], float]) -> None:
        """`clients`: who may ask; `now`: monotonic seconds."""
        self._pushes = pushes
        self._clients = clients
        self._metrics = metrics
        self._now = now
        self._known: OrderedDict[str, tuple[float, bytes, asyncio.Task[Pushed]]] = OrderedDict()
        self._log = structlog.get_logger()

    @property
    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        return [web.post(PATH, self._serve)]

    async def _serve(self, request: web.Request) -> web.Response:
        """200 when the peer has taken the first screen; 409 busy; 503 later; 504 nobody knows; 400, 401, 422 never."""
        try:
            signed = await read_signed(request, self._clients)
            wanted = _wanted(signed.body)
            pushed = await self._once(signed.client, wanted, signed.body)
        except Refused as error:
            return self._problem(error.status, str(error))
        except StoreAway as error:
            return self._problem(503, str(error))
        if pushed.fate is not Fate.ACCEPTED:
            status, detail = _ANSWERS[pushed.fate]
            named = f": {constants.status_name(pushed.status)}" if pushed.status else ""
            return self._problem(status, detail + named)
        self._metrics.pushes.labels("200").inc()
        return web.json_response({"id": wanted.id, "outcome": pushed.fate.value})

    async def _once(self, client: str, wanted: Wanted, body: bytes) -> Pushed:
        """What became of the push of this id, which is begun if it is not known. Raises Refused, StoreAway."""
        now, digest = self._now(), hashlib.sha256(body).digest()
        while self._known and next(iter(self._known.values()))[0] < now:
            self._known.popitem(last=False)
        name = f"{client}/{wanted.id}"
        if name in self._known:
            _, known, task = self._known[name]
            if known != digest:
                raise Refused(422, "id: was used for another dialogue")
            return await asyncio.shield(task)
        self._log.info("push", client=client, id=wanted.id, msisdn=wanted.msisdn, network=wanted.network)
        task = asyncio.get_running_loop().create_task(self._pushes.begin(wanted))
        self._known[name] = (now + KNOWN_SECONDS, digest, task)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

        def forget_what_was_not_begun(done: asyncio.Task[Pushed]) -> None:
            if done.cancelled() or done.exception() is not None:
                self._known.pop(name, None)

        task.add_done_callback(forget_what_was_not_begun)
        return await asyncio.shield(task)  # who asked may be gone: the dialogue goes on, and its answer is kept

    def _problem(self, status: int, detail: str) -> web.Response:
        self._metrics.pushes.labels(str(status)).inc()
        return problem(status, detail)


def _wanted(body: bytes) -> Wanted:
    """What a body asks for. Raises Refused."""
    try:
        wanted = _read.decode(body)
    except msgspec.ValidationError as error:
        raise Refused(422, str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refused(400, "the body must be a JSON object in UTF-8") from None
    try:
        is_uuid = str(uuid.UUID(wanted.id)) == wanted.id
    except ValueError:
        is_uuid = False
    if not is_uuid:
        raise Refused(422, "id: must be a UUID")
    return wanted
