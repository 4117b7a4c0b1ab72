"""Runs every promise against a core, and tells what came of each as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from billing.conformance import confirming, door, fields, once, paying, reading
from billing.conformance.asking import SECONDS_MAX, Asking, Client, Gone
from billing.conformance.ground import Ground, Wallet
from billing.conformance.promise import Breach, Broken, NotTried, Promise

ALL: Final[tuple[Promise, ...]] = (
    *door.PROMISES,
    *fields.PROMISES,
    *reading.PROMISES,
    *once.PROMISES,
    *confirming.PROMISES,
    *paying.PROMISES,
)
"""In the order in which they are looked at."""


class Plan(NamedTuple):
    """What to run against. `other`: a client that may not ask for everything; `seconds_max`: a request's deadline."""

    url: str
    client: Client
    number: str
    other: Client | None = None
    wallet: Wallet | None = None
    seconds_max: float = SECONDS_MAX


class Verdict(NamedTuple):
    """What came of one promise. `not_tried`: why it was not looked at; "" when it was."""

    promise: Promise
    breaches: tuple[Breach, ...]
    not_tried: str
    requests: int
    seconds: float

    @property
    def word(self) -> str:
        """`ok`, `FAILED` or `skipped`."""
        return "FAILED" if self.breaches else "skipped" if self.not_tried else "ok"


class Report(NamedTuple):
    """What came of all of them."""

    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> list[str]:
        """The names of the promises that were broken."""
        return [verdict.promise.name for verdict in self.verdicts if verdict.breaches]

    def count(self, word: str) -> int:
        """How many came to this word."""
        return sum(verdict.word == word for verdict in self.verdicts)

    def as_json(self, plan: Plan) -> dict[str, Any]:
        """All of it as one document."""
        return {
            "url": plan.url,
            "kept": self.count("ok"),
            "broken": self.count("FAILED"),
            "not_tried": self.count("skipped"),
            "promises": [
                {
                    "name": verdict.promise.name,
                    "means": verdict.promise.means,
                    "outcome": {"ok": "kept", "FAILED": "broken", "skipped": "not_tried"}[verdict.word],
                    **({"why": verdict.not_tried} if verdict.not_tried else {}),
                    "breaches": [breach._asdict() for breach in verdict.breaches],
                    "requests": verdict.requests,
                    "seconds": round(verdict.seconds, 3),
                }
                for verdict in self.verdicts
            ],
        }


async def run(
    plan: Plan, tell: Callable[[Verdict], None] = lambda _: None, promises: Iterable[Promise] = ALL
) -> Report:
    """Looks at every promise, one after another, and tells of each as it is looked at.

    Raises Gone when the core does not answer at the beginning, and ValueError for an address that is none.
    """
    async with Asking(plan.url, plan.seconds_max) as asking:
        clients = (plan.client, *((plan.other,) if plan.other else ()))
        ground = Ground(asking, clients, plan.number, plan.wallet)
        await ground.learn()
        verdicts: list[Verdict] = []
        gone = ""
        for promise in promises:
            verdict = Verdict(promise, (), gone, 0, 0) if gone else await _look(promise, ground)
            gone = gone or next((b.came for b in verdict.breaches if b.expected == AN_ANSWER), "")
            verdicts.append(verdict)
            tell(verdict)
    return Report(tuple(verdicts))


AN_ANSWER: Final = "an answer"


async def _look(promise: Promise, ground: Ground) -> Verdict:
    began, before = time.monotonic(), ground.asking.requests
    breaches: list[Breach] = []
    not_tried = ""
    try:
        breaches = await promise.check(ground)
    except Broken as broken:
        breaches = [broken.breach]
    except NotTried as why:
        not_tried = str(why)
    except Gone as gone:
        breaches = [Breach("many requests", AN_ANSWER, f"the core does not answer any more: {gone}")]
    pins = (ground.wallet.pin, ground.wallet.wrong_pin) if ground.wallet else ()
    told = tuple(_without(pins, breach) for breach in breaches)
    return Verdict(promise, told, not_tried, ground.asking.requests - before, time.monotonic() - began)


def _without(pins: Iterable[str], breach: Breach) -> Breach:
    """What is said of a breach without the PINs, should the core have repeated one: the wrong one is nearly right."""
    for pin in pins:
        breach = Breach(*(part.replace(pin, "****") for part in breach))
    return breach
