"""Golden talks: tests of a menu, played through the same walk as production (pure).

A talk dials, sends and looks; calls answer what the test says. A call that the test does not answer, an answer that no
call asks for, and a screen that does not fit are failures. Talks stand under `tests:` beside the menu, or in files of
their own (`talk_files`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import NamedTuple

from billing.calls import Call, Outcome
from billing.contract import LANGUAGES, OPERATIONS, STATUSES, check_values
from billing.events import EVENTS
from sessions.session import Session, SessionTooLarge, from_octets, to_octets
from strict_yaml import Mistake, Node, did_you_mean

from .. import dial_string
from . import grammar, leads, resumption, walk
from .catalog import Catalog
from .grammar import Key
from .menu import CALLS_MAX, Service
from .menu_parts import TRUSTS
from .pages import SMS_LIMITS, Limits, fits, measure
from .talk_answers import Stop, outcome_from, outcome_word
from .walk import Make, Show, Step, Terms
from .wording import notice_text

_LIMITS = Limits()
_MSISDN = "77010000007"
_SESSION_ID = "00000000-0000-4000-8000-000000000000"
_NOW = 1_764_000_000.0
"""When every talk takes place: 24 November 2025, 16:00 UTC."""


class Place(NamedTuple):
    """A network as a talk needs it: country, currency and clock."""

    country: str
    currency: str
    time_zone: tzinfo


Networks = Mapping[str, Place]
_DOING = ("dial", "send", "sms", "notice", "cut")
"""What a step can do."""


class Talk(NamedTuple):
    """One test of a service, with the node it was read from."""

    service: str
    name: str
    node: Node


class Seen(NamedTuple):
    """What a talk has been through: screens, options, outcomes of calls, as coverage names them."""

    service: str
    what: str


class Difference(NamedTuple):
    """A screen that is another than the talk says: the scalar that says so, and what was shown."""

    node: Node
    shown: str


class Played(NamedTuple):
    """How a talk went: what is wrong with it or with the menu, and what it has been through."""

    talk: Talk
    mistakes: tuple[Mistake, ...]
    seen: frozenset[Seen]
    differences: tuple[Difference, ...]


def talks_in(source: Node, service: str) -> list[Talk]:
    """Every test of a file."""
    tests = source.items.get("tests")
    found = []
    for node in tests.value if tests and isinstance(tests.value, list) else ():
        name = node.items.get("name")
        found.append(Talk(service, str(name.value) if name else "without a name", node))
    return found


def twins(talks: Iterable[Talk]) -> Iterator[Mistake]:
    """Tests of one name: which of them has failed could not be told."""
    seen: dict[tuple[str, str], Talk] = {}
    for talk in talks:
        first = seen.setdefault((talk.service, talk.name), talk)
        if first is not talk:
            what = f"test '{talk.name}' stands twice, first at {first.node.place}"
            yield Mistake(talk.node.place, what, "Give each its own name.")


def play_all(catalog: Catalog, talks: Iterable[Talk], networks: Networks) -> list[Played]:
    """Plays every talk."""
    return [play(catalog, talk, networks) for talk in talks]


def play(catalog: Catalog, talk: Talk, networks: Networks, limits: Limits = _LIMITS) -> Played:
    """Plays one talk."""
    player = _Player(catalog, talk, networks, limits)
    try:
        if not player.mistakes:  # else what follows would be consequences
            player.play()
    except Stop as stop:
        player.mistakes.append(stop.mistake)
    except walk.MenuLoop as error:
        player.mistakes.append(Mistake(talk.node.place, str(error), "Let something on the way be a screen."))
    except SessionTooLarge as error:
        player.mistakes.append(Mistake(talk.node.place, str(error), "Keep less, or let the call return less."))
    mistakes = (each._replace(what=f"test '{talk.name}': {each.what}") for each in player.mistakes)
    return Played(talk, tuple(mistakes), frozenset(player.seen), tuple(player.differences))


def _keys(node: Node, keys: Mapping[str, Key]) -> Iterator[Mistake]:
    for key in node.items:
        if key not in keys:
            yield Mistake(node.key_places[key], f"unknown key '{key}'", did_you_mean(key, keys))
    for key in grammar.required(keys):
        if key not in node.items:
            yield Mistake(node.place, f"'{key}' is missing", f"Add `{key}:` here.")


def _switches(catalog: Catalog) -> list[str]:
    """Everything that can be switched off."""
    return [name for service in catalog.services.values() for name in (service.id, *leads.switches(service))]


class _Player:
    """Plays one talk: a subscriber, a network and a core that all do what the file says."""

    def __init__(self, catalog: Catalog, talk: Talk, networks: Networks, limits: Limits) -> None:
        self.mistakes: list[Mistake] = list(_keys(talk.node, grammar.TEST))
        self.seen: set[Seen] = set()
        self.differences: list[Difference] = []
        self._catalog = catalog
        self._talk = talk
        self._entries = talk.node.items
        service = catalog.services[talk.service]
        self._network = self._word("network", next(iter(service.open_to.networks), next(iter(networks))), networks)
        self._language = self._word("language", next(iter(service.languages)), LANGUAGES)
        self._status = self._word("status", "active", STATUSES)
        manages = self._entries.get("manages")
        self._manages = 1 if manages is not None and manages.value else 0
        self._answers: dict[str, list[Node]] = {}
        self._left: dict[str, Node] = {}
        self._read_answers()
        self._secrets = self._texts("never_stored")
        self._steps = self._checked_steps()
        self._service: Service | None = None
        self._session: Session | None = None
        self._cut = False
        place = networks[self._network]
        trust = self._word("trust", TRUSTS[-1], TRUSTS)
        off = self._texts("off")
        self.mistakes += [
            Mistake(self._entries["off"].place, f"'{name}' switches nothing", did_you_mean(name, _switches(catalog)))
            for name in off if name not in _switches(catalog)
        ]  # fmt: skip
        self._terms = Terms(limits, *place, trust=trust, off=frozenset(off))

    def _word(self, key: str, default: str, known: Collection[str]) -> str:
        node = self._entries.get(key)
        if node is None:
            return default
        if node.value not in known:
            self.mistakes.append(
                Mistake(node.place, f"there is no {key} '{node.value}'", did_you_mean(str(node.value), known))
            )
            return default
        return str(node.value)

    def _texts(self, key: str) -> list[str]:
        node = self._entries.get(key)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self.mistakes.append(Mistake(node.place, f"{node.kind} where a list is expected", "Write [a, b]."))
            return []
        return [str(each.value) for each in node.value]

    def _checked_steps(self) -> list[Node]:
        """The steps, when each of them does one thing."""
        node = self._entries.get("talk")
        if node is None:
            return []
        if not isinstance(node.value, list) or not node.value:
            cure = "Write `- {dial: …}` and `- {send: …}` lines."
            what = "no step" if node.value == [] else f"{node.kind} where steps are expected"
            self.mistakes.append(Mistake(node.place, what, cure))
            return []
        for step in node.value:
            self.mistakes += _keys(step, grammar.STEP)
            done = [key for key in _DOING if key in step.items]
            cut = step.items.get("cut")
            if len(done) > 1:
                what = f"a step that does two things: {' and '.join(done)}"
                self.mistakes.append(Mistake(step.place, what, "Make them two steps."))
            elif cut is not None and cut.value is not True:
                self.mistakes.append(Mistake(cut.place, "`cut` is only ever true", "Write `cut: true`, or nothing."))
        return node.value

    def _read_answers(self) -> None:
        calls = self._entries.get("calls")
        if calls is not None and not isinstance(calls.value, dict):
            self.mistakes.append(Mistake(calls.place, f"{calls.kind} where calls are expected", "Write {call: {…}}."))
        for name, node in (calls.items if calls else {}).items():
            if calls and name not in OPERATIONS:
                what = f"the billing contract has no call '{name}'"
                self.mistakes.append(Mistake(calls.key_places[name], what, did_you_mean(name, OPERATIONS)))
            self._answers[name] = list(node.value) if isinstance(node.value, list) else [node]
            self._left[name] = node

    def play(self) -> None:
        for step in self._steps:
            self._step(step)
        for name, node in self._left.items():
            self.mistakes.append(Mistake(node.place, f"'{name}' was never called", "Remove it, or make the call."))
        for name, answers in self._answers.items():
            node = self._entries["calls"].items[name]
            if isinstance(node.value, list) and answers and name not in self._left:
                what = f"'{name}' was called {len(node.value) - len(answers)} of {len(node.value)} times"
                self.mistakes.append(Mistake(answers[0].place, what, "Remove the answers that are left."))

    def _step(self, node: Node) -> None:
        entries = node.items
        if "cut" in entries:
            self._cut = True
            return
        if "notice" in entries:
            self._notice(node, str(entries["notice"].value))
            return
        if "dial" in entries:
            step = self._dial(node, str(entries["dial"].value))
        elif "sms" in entries:
            step = self._sms(str(entries["sms"].value))
        elif "send" in entries:
            step = self._send(node, str(entries["send"].value))
        else:
            raise Stop(node, "a step that does nothing", "Write dial, send, sms, notice or cut.")
        self._look(self._shown(step, node), node)

    def _shown(self, step: Step, node: Node) -> Show:
        """Answers calls until there is a screen."""
        calls = 0
        while isinstance(step, Make):
            calls += 1
            if calls > CALLS_MAX:
                raise Stop(node, f"over {CALLS_MAX} calls in one turn", "Lead an outcome to a screen.")
            self._keep(step.session, node)
            assert self._service is not None  # noqa: S101 - set by every dial
            self._mark(step)
            outcome = self._outcome(step.call, node)
            pending = step.session.pending
            where = pending.screen + (f"/{pending.option}" if pending.option else "") if pending else ""
            self._saw(f"{where} {step.call.operation} {outcome_word(outcome)}")
            step = walk.resume(self._service, step.session, outcome, self._terms)
        self._mark(step)
        self._keep(step.session, node)
        return step

    def _mark(self, step: Step) -> None:
        for kind, name in step.marks:
            if kind in (walk.ENTERED, walk.ANSWERED):
                self._saw(name)

    def _saw(self, what: str) -> None:
        if self._service is not None:
            self.seen.add(Seen(self._service.id, what))

    def _dial(self, node: Node, text: str) -> Step:
        dialled = dial_string.parse(text)
        found = self._catalog.find(self._network, dialled.parts) if dialled else None
        if found is None:
            raise Stop(node, f"no service answers {text} on network '{self._network}'", "Check the code and `open_to`.")
        before, self._service = self._session, found.service
        begun = self._new_session(found.service)
        if before is not None and self._cut and not found.rest and resumption.is_offered(found.service, before, _NOW):
            words = self._catalog.words("resume", self._own_language(found.service))
            session = resumption.question(before, begun, words)
            return Show(session, words, False)
        self._cut = False
        return walk.begin(found.service, begun, found.rest, self._terms, found.go)

    def _send(self, node: Node, text: str) -> Step:
        session = self._session
        if session is None or session.ended or self._service is None:
            raise Stop(node, "the dialogue has ended already", "Dial again, or remove the step.")
        if not session.asking:
            return walk.answer(self._service, session, text, self._terms)
        if text == resumption.GO_ON:
            return walk.show_again(self._service, resumption.goes_on(session), self._terms)
        if text == resumption.ANEW:
            return walk.begin(self._service, self._new_session(self._service), (), self._terms)
        return resumption.asked_again(session)

    def _sms(self, text: str) -> Step:
        """An SMS to the service that the talk stands beside; an answer by notice is the screen ""."""
        self._service = service = self._catalog.services[self._talk.service]
        terms = self._terms._replace(limits=SMS_LIMITS)
        return walk.take_sms(service, self._new_session(service), text, terms)

    def _notice(self, node: Node, event: str) -> None:
        """An event of the core, `with` its arguments: `screen` and `sees` are the SMS."""
        service = self._catalog.services[self._talk.service]
        arguments = node.items.get("with")
        if arguments is not None and not isinstance(arguments.value, dict):
            raise Stop(arguments, f"{arguments.kind} where what the event carries is expected", "Write {name: value}.")
        given = arguments.plain() if arguments is not None else {}
        if event not in service.notices:
            raise Stop(node, f"no notice of '{event}' stands in this file", did_you_mean(event, service.notices))
        faults = check_values(given, EVENTS[event].arguments, "with")
        if faults:
            raise Stop(node, f"{faults[0].field} {faults[0].what}", "Write what the event carries.")
        self.seen.add(Seen(service.id, f"notice {event}"))
        self._compare(notice_text(service, event, given, self._own_language(service), self._terms.time_zone), node)

    def _own_language(self, service: Service) -> str:
        return self._language if self._language in service.languages else next(iter(service.languages))

    def _new_session(self, service: Service) -> Session:
        return Session(
            id=_SESSION_ID, msisdn=_MSISDN, link="test", reference="", network=self._network, brand="Kcell",
            status=self._status, language=self._own_language(service), service=service.id, menu=service.version,
            started_at=_NOW, at=_NOW, manages=self._manages,
        )  # fmt: skip

    def _outcome(self, call: Call, node: Node) -> Outcome:
        answers = self._answers.get(call.operation)
        if not answers:
            raise Stop(node, f"'{call.operation}' is called here", "Say under `calls:` what it answers.")
        self._left.pop(call.operation, None)
        is_list = isinstance(self._entries["calls"].items[call.operation].value, list)
        return outcome_from(call.operation, answers.pop(0) if is_list else answers[0])

    def _keep(self, session: Session, node: Node) -> None:
        """Keeps the session as the store would: through its octets, in which no secret may be."""
        octets = to_octets(session)
        for secret in self._secrets:
            if secret.encode() in octets:
                raise Stop(node, f"'{secret}' is in the stored session", "Mark the answer `secret:`.")
        self._session = from_octets(octets)

    def _look(self, shown: Show, node: Node) -> None:
        self._compare(shown.text, node)
        if "sms" in node.items:
            return
        ends = node.items.get("ends")
        if shown.ends != bool(ends.value if ends else False):
            what = "the dialogue ends here" if shown.ends else "the dialogue does not end here"
            self.mistakes.append(Mistake(node.place, what, f"Write `ends: {str(shown.ends).lower()}`."))
        cut = any(kind == walk.CUT for kind, _ in shown.marks)
        if cut or not fits(shown.text, self._terms.limits):
            count, unit = measure(shown.text)
            what = "the screen was cut" if cut else f"the screen has {count} {unit}"
            self.mistakes.append(Mistake(node.place, what, "Shorten its texts."))

    def _compare(self, text: str, node: Node) -> None:
        cure = "Correct the menu or the test."
        screen, sees = node.items.get("screen"), node.items.get("sees")
        if screen and text != str(screen.value or ""):
            self.mistakes.append(Mistake(screen.place, f"the screen is {text!r}, not {screen.value!r}", cure))
            self.differences.append(Difference(screen, text))
        if sees and str(sees.value) not in text:
            self.mistakes.append(Mistake(sees.place, f"the screen is {text!r}, without {sees.value!r}", cure))
            self.differences.append(Difference(sees, text))
