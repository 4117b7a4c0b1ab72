"""Promises of quotes that two digits confirm.

Rules of this file: a quote is made and never confirmed, not even with a core that breaks its promises: what is typed is
always other digits. It ends by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

from billing.calls import Done, Refused
from billing.conformance.ground import Ground, asked, new_id, told
from billing.conformance.judging import is_refused
from billing.conformance.promise import Breach, Broken, NotTried, Promise
from billing.contract import Value

WRONG: Final = "WRONG_DIGITS"
TRIES: Final = 3
"""So many wrong digits end a quote."""
ARRIVALS: Final = 5
NOTHING: Final = "00"


class _Quoting(NamedTuple):
    """Something that the test number could be quoted."""

    operation: str
    arguments: Mapping[str, Value]

    @property
    def confirming(self) -> str:
        """The operation that would confirm it."""
        return self.operation.replace(".quote", ".confirm")


async def _quotable(ground: Ground) -> AsyncIterator[_Quoting]:
    """What can be asked for, what costs nothing first."""
    for offer in (await ground.result("extra_balance.offers"))["offers"][:1]:
        yield _Quoting("extra_balance.quote", {"offer": offer["id"]})
    for service in (await ground.result("services.connected"))["services"][:1]:
        yield _Quoting("services.quote", {"service": service["id"], "connect": False})
    for service in (await ground.result("services.offered"))["services"]:
        yield _Quoting("services.quote", {"service": service["id"], "connect": True})
    for tariff in (await ground.result("tariffs.offered"))["tariffs"]:
        yield _Quoting("tariffs.quote", {"tariff": tariff["id"]})


async def _quoted(ground: Ground) -> tuple[_Quoting, Mapping[str, Any]]:
    """A quote that was made, and its results. Raises NotTried when the test number is quoted nothing."""
    async for quoting in _quotable(ground):
        came = await ground.outcome(quoting.operation, quoting.arguments)
        if isinstance(came, Done):
            return quoting, came.result
    raise NotTried("the test number is quoted nothing: no extra balance, no service, no tariff")


async def counted_once(ground: Ground) -> list[Breach]:
    """Three tries, each of which arrives five times; then none is left."""
    quoting, quote = await _quoted(ground)
    operation, found = quoting.confirming, []
    for attempt in range(TRIES):
        call_id, arguments = new_id(), {"intent": quote["intent"], "digits": _other(quote["digits"], attempt)}
        how = asked(operation, ground.number, f"with other digits, try {attempt + 1}")
        arrived = [await ground.outcome(operation, arguments, call_id=call_id) for _ in range(ARRIVALS)]
        if not all(is_refused(came, WRONG) for came in arrived):
            raise Broken(how, f"refused {WRONG}: a try that arrives again counts once", told(arrived[-1]))
        found += [breach for came in arrived for breach in _left(how, came, TRIES - 1 - attempt)]
    arguments = {"intent": quote["intent"], "digits": _other(quote["digits"], TRIES)}
    if not is_refused(came := await ground.outcome(operation, arguments), "EXPIRED"):
        how = asked(operation, ground.number, f"with other digits, try {TRIES + 1}")
        found.append(Breach(how, "refused EXPIRED: the quote is void", told(came)))
    return found


def _left(how: str, came: Done | Refused, left: int) -> list[Breach]:
    """`tries_left` may be left out, and otherwise is right."""
    told_left = came.details.get("tries_left", left) if isinstance(came, Refused) else left
    return [] if told_left == left else [Breach(how, f"tries_left {left}", told(came))]


def _other(digits: str, step: int) -> str:
    """Digits that are not these."""
    return f"{(int(digits) + 1 + step) % 100:02}"


async def refusal_stays(ground: Ground) -> list[Breach]:
    """What is not there is confirmed; then it is quoted under that id; then the confirmation arrives again."""
    quoting, _ = await _quoted(ground)
    intent, call_id = new_id(), new_id()
    arguments: dict[str, Value] = {"intent": intent, "digits": NOTHING}
    how = asked(quoting.confirming, ground.number, "of a quote that is not there")
    first = await ground.outcome(quoting.confirming, arguments, call_id=call_id)
    if not is_refused(first, "NO_SUCH_QUOTE"):
        raise Broken(how, "refused NO_SUCH_QUOTE", told(first))
    quote = await ground.outcome(quoting.operation, quoting.arguments, call_id=intent)
    if not isinstance(quote, Done) or quote.result["intent"] != intent:
        raise Broken(asked(quoting.operation, ground.number), "a quote, under the id of its call", told(quote))
    if quote.result["digits"] == NOTHING:
        raise NotTried(f"the digits that were drawn are {NOTHING}: with a core that forgets, it would be confirmed")
    again = await ground.outcome(quoting.confirming, arguments, call_id=call_id)
    how = asked(quoting.confirming, ground.number, "again under its id, when the quote is there")
    return [] if again == first else [Breach(how, f"the first answer: {told(first)}", told(again))]


PROMISES: Final = (
    Promise("digits.counted", "Wrong digits that arrive again count once; three tries void the quote.", counted_once),
    Promise("refusal.stays", "A refusal stays under its id when its reason is gone.", refusal_stays),
)
