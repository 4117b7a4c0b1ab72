"""Golden talks: the `tests:` that stand beside a menu, played through the same walk as production (pure).

A talk dials, sends and looks; calls answer what the test says. A call that the test does not answer, and an answer
that no call asks for, are failures; so is a screen that does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from billing.calls import Call, Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS, check_values
from billing.notices import EVENTS
from sessions.session import Session, from_octets, to_octets
from strict_yaml import Mistake, Node, StrictYamlError, did_you_mean

from . import dial_string, walk
from .catalog import Catalog
from .menu import CALLS_MAX, Service
from .walk import Show, Step, Terms
from .wording import LANGUAGES, SMS_LIMITS, Limits, fits, measure, notice_text

TEST_KEYS = ("name", "language", "network", "status", "calls", "talk", "never_stored")
STEP_KEYS = ("dial", "send", "sms", "notice", "with", "sees", "screen", "ends")
_LIMITS = Limits()
_MSISDN = "77010000007"
_SESSION_ID = "00000000-0000-4000-8000-000000000000"


class Talk(NamedTuple):
    """One test of a menu file, with the node it was read from."""

    service: str
    name: str
    node: Node


class Failure(NamedTuple):
    """Where a talk went another way than its file says."""

    talk: Talk
    mistake: Mistake


def talks_of(catalog: Catalog) -> list[Talk]:
    """Every test of every menu file."""
    found = []
    for service, source in catalog.sources.items():
        tests = source.items.get("tests")
        for node in tests.value if tests and isinstance(tests.value, list) else ():
            name = node.items.get("name")
            found.append(Talk(service, str(name.value) if name else "without a name", node))
    return found


def play_all(catalog: Catalog) -> list[Failure]:
    """Plays every talk; the failures, in the order of the files."""
    return [Failure(talk, mistake) for talk in talks_of(catalog) for mistake in play(catalog, talk)]


def play(catalog: Catalog, talk: Talk, limits: Limits = _LIMITS) -> list[Mistake]:
    """Plays one talk. What is wrong with it or with the menu, each at its place; empty when all is as written."""
    mistakes = list(_unknown_keys(talk.node, TEST_KEYS))
    try:
        _Player(catalog, talk, limits, mistakes).play()
    except _Stop as stop:
        mistakes.append(stop.mistake)
    except StrictYamlError as error:
        mistakes += error.mistakes
    except walk.MenuLoop as error:
        mistakes.append(Mistake(talk.node.place, str(error), "Let something on the way be a screen."))
    return mistakes


class _Stop(Exception):
    """The talk cannot go on after this mistake."""

    def __init__(self, node: Node, what: str, cure: str) -> None:
        self.mistake = Mistake(node.place, what, cure)
        super().__init__(what)


def _unknown_keys(node: Node, known: tuple[str, ...]) -> Iterator[Mistake]:
    for key in node.items:
        if key not in known:
            yield Mistake(node.key_places[key], f"unknown key '{key}'", did_you_mean(key, known))


class _Player:
    def __init__(self, catalog: Catalog, talk: Talk, limits: Limits, mistakes: list[Mistake]) -> None:
        self._catalog = catalog
        self._talk = talk
        self._mistakes = mistakes
        entries = talk.node.items
        service = catalog.services[talk.service]
        self._network = self._word("network", next(iter(service.open_to.networks), "kcell"))
        self._language = self._word("language", next(iter(service.languages)))
        self._status = self._word("status", "active")
        self._answers: dict[str, list[Node]] = {
            name: node.value if isinstance(node.value, list) else [node]
            for name, node in (entries["calls"].items if "calls" in entries else {}).items()
        }
        self._unused = set(self._answers)
        self._secrets = [str(each) for each in entries["never_stored"].plain()] if "never_stored" in entries else []
        self._service: Service | None = None
        self._session: Session | None = None
        self._terms = Terms(limits, "KZ", "KZT", _zone("Asia/Almaty"))

    def _word(self, key: str, default: str) -> str:
        node = self._talk.node.items.get(key)
        return default if node is None else str(node.value)

    def play(self) -> None:
        if self._language not in LANGUAGES:
            raise _Stop(self._talk.node, f"there is no language '{self._language}'", f"One of {', '.join(LANGUAGES)}.")
        talk = self._talk.node.items.get("talk")
        for step in talk.value if talk and isinstance(talk.value, list) else ():
            self._mistakes += _unknown_keys(step, STEP_KEYS)
            self._step(step)
        for name in sorted(self._unused):
            node = self._talk.node.items["calls"].items[name]
            self._mistakes.append(Mistake(node.place, f"'{name}' was never called", "Remove it, or make the call."))

    def _step(self, node: Node) -> None:
        entries = node.items
        if "notice" in entries:
            self._notice(node, str(entries["notice"].value))
            return
        if "dial" in entries:
            step = self._dial(node, str(entries["dial"].value))
        elif "sms" in entries:
            step = self._sms(str(entries["sms"].value))
        elif self._session is None or self._session.ended or self._service is None:
            raise _Stop(node, "the dialogue has ended already", "Dial again, or remove the step.")
        else:
            step = walk.answer(self._service, self._session, str(entries["send"].value), self._terms)
        calls = 0
        while not isinstance(step, Show):
            calls += 1
            if calls > CALLS_MAX:
                raise _Stop(node, f"over {CALLS_MAX} calls in one turn", "Lead an outcome to a screen.")
            self._keep(step.session, node)
            assert self._service is not None  # noqa: S101 - set by every dial
            step = walk.resume(self._service, step.session, self._outcome(step.call, node), self._terms)
        self._keep(step.session, node)
        self._look(step, node)

    def _dial(self, node: Node, text: str) -> Step:
        dialled = dial_string.parse(text)
        found = self._catalog.find(self._network, dialled.parts) if dialled else None
        if found is None:
            raise _Stop(
                node, f"no service answers {text} on network '{self._network}'", "Check the code and `open_to`."
            )
        self._service = found.service
        return walk.begin(found.service, self._new_session(found.service), found.rest, self._terms)

    def _sms(self, text: str) -> Step:
        """An SMS to the service that the talk stands beside; an answer by notice is the screen ""."""
        self._service = service = self._catalog.services[self._talk.service]
        terms = self._terms._replace(limits=SMS_LIMITS)
        return walk.take_sms(service, self._new_session(service), text, terms)

    def _notice(self, node: Node, event: str) -> None:
        """An event of the core, `with` its arguments: `screen` and `sees` are the SMS."""
        service = self._catalog.services[self._talk.service]
        given = node.items["with"].plain() if "with" in node.items else {}
        if event not in service.notices:
            raise _Stop(node, f"no notice of '{event}' stands in this file", did_you_mean(event, service.notices))
        faults = check_values(given, EVENTS[event].arguments, "with")
        if faults:
            raise _Stop(node, f"{faults[0].field} {faults[0].what}", "Write what the event carries.")
        self._compare(notice_text(service, event, given, self._own_language(service), self._terms.time_zone), node)

    def _own_language(self, service: Service) -> str:
        return self._language if self._language in service.languages else next(iter(service.languages))

    def _new_session(self, service: Service) -> Session:
        return Session(
            id=_SESSION_ID, msisdn=_MSISDN, link="test", reference="", network=self._network, brand="Kcell",
            status=self._status, language=self._own_language(service), service=service.id, menu=service.version,
            started_at=0.0,
        )  # fmt: skip

    def _outcome(self, call: Call, node: Node) -> Outcome:
        answers = self._answers.get(call.operation)
        if not answers:
            raise _Stop(node, f"'{call.operation}' is called here", "Say under `calls:` what it answers.")
        self._unused.discard(call.operation)
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        return _outcome_from(call.operation, given)

    def _keep(self, session: Session, node: Node) -> None:
        """Keeps the session as the store would: through its octets, in which no secret may be."""
        octets = to_octets(session)
        for secret in self._secrets:
            if secret.encode() in octets:
                raise _Stop(node, f"'{secret}' is in the stored session", "Mark the answer `secret:`.")
        self._session = from_octets(octets)

    def _look(self, shown: Show, node: Node) -> None:
        self._compare(shown.text, node)
        ends = node.items.get("ends")
        if "sms" not in node.items and shown.ends != bool(ends.value if ends else False):
            what = "the dialogue ends here" if shown.ends else "the dialogue does not end here"
            self._mistakes.append(Mistake(node.place, what, f"Write `ends: {str(shown.ends).lower()}`."))
        if "sms" not in node.items and not fits(shown.text, self._terms.limits):
            count, unit = measure(shown.text)
            self._mistakes.append(Mistake(node.place, f"the screen has {count} {unit}", "Shorten its texts."))

    def _compare(self, text: str, node: Node) -> None:
        cure = "Correct the menu or the test."
        screen, sees = node.items.get("screen"), node.items.get("sees")
        if screen and text != str(screen.value or ""):
            self._mistakes.append(Mistake(screen.place, f"the screen is {text!r}", cure))
        if sees and str(sees.value) not in text:
            self._mistakes.append(Mistake(sees.place, f"the screen is {text!r}", cure))


def _outcome_from(operation: str, node: Node) -> Outcome:
    """`unknown`, `not_made`, `{done: {…}}` or `{refused: CODE}`, checked against the contract."""
    if node.value == "unknown":
        return Unknown("the test says so")
    if node.value == "not_made":
        return NotMade("the test says so")
    contract = OPERATIONS.get(operation)
    if contract is None:
        raise _Stop(node, f"the billing contract has no call '{operation}'", did_you_mean(operation, OPERATIONS))
    if "refused" in node.items:
        code = str(node.items["refused"].value)
        if code not in contract.refusals:
            cure = did_you_mean(code, contract.refusals)
            raise _Stop(node.items["refused"], f"'{operation}' is never refused with '{code}'", cure)
        details = node.items["with"].plain() if "with" in node.items else {}
        return Refused(code, details)
    if "done" not in node.items:
        raise _Stop(node, "an answer that is none of the four outcomes", "Write done, refused, unknown or not_made.")
    result: Mapping[str, Any] = node.items["done"].plain() or {}
    faults = check_values(result, contract.results, "done")
    if faults:
        raise _Stop(node.items["done"], f"{faults[0].field} {faults[0].what}", "Write what the contract promises.")
    return Done(result)


def _zone(name: str) -> tzinfo:
    return ZoneInfo(name) if name else UTC
