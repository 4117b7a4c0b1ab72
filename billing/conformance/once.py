"""Promises of ids: one id, one effect, and one answer for ever.

Rules of this file:
- What changes something for the test number changes little: its language, which is put back, and a hundredth of its
  currency that comes to its account. All else is asked of a number that nobody holds, and refused.
- Answers are compared as what they say, not octet by octet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from billing.calls import Done, Refused
from billing.conformance import samples
from billing.conformance.ground import Ground, asked, envelope, new_id, of_each, told
from billing.conformance.judging import is_refused, not_turned_away, outcome
from billing.conformance.promise import Breach, Broken, NotTried, Promise
from billing.contract import LANGUAGES, OPERATIONS, Operation, Value

SET_LANGUAGE: Final = "subscribers.set_language"
TOP_UP: Final = "balances.top_up"
STATUS: Final = "calls.status"
AT_ONCE: Final = 10
TIMES: Final = 3
WITHOUT_LANGUAGE: Final = "ru"
"""What a number gets that had none: every country has it."""


# --- the language -----------------------------------------------------------------------------------------------------


async def one_effect(ground: Ground) -> list[Breach]:
    """A language is set; then another one; then the first call comes again."""
    async with _put_back(ground):
        first, second = (await _offered(ground))[:2]
        call_id, how = new_id(), asked(SET_LANGUAGE, ground.number, "again under one id")
        done = await ground.outcome(SET_LANGUAGE, {"language": first}, call_id=call_id)
        await ground.outcome(SET_LANGUAGE, {"language": second})
        found = _same(how, done, await ground.outcome(SET_LANGUAGE, {"language": first}, call_id=call_id))
        if (now := await _language(ground)) != second:
            expected = f"no second effect: `subscribers.hello` tells {second}, which was set in between"
            found.append(Breach(how, expected, f"it tells {now}"))
        return found


async def the_same_call(ground: Ground) -> list[Breach]:
    """The language of texts and `by_sms` are no part of the intent."""
    found = []
    async with _put_back(ground):
        language, call_id = (await _offered(ground))[0], new_id()
        done = await ground.outcome(SET_LANGUAGE, {"language": language}, call_id=call_id)
        body = envelope(OPERATIONS[SET_LANGUAGE], ground.number, {"language": language}, call_id)
        for change in ({"language": "en"}, {"language": "kk"}, {"by_sms": True}):
            answer = await ground.post(SET_LANGUAGE, {**body, **change})
            came = outcome(SET_LANGUAGE, answer)
            how = asked(SET_LANGUAGE, ground.number, f"again under one id, with another `{next(iter(change))}`")
            found += [Breach(how, came, str(answer))] if isinstance(came, str) else _same(how, done, came)
    return found


async def other_arguments(ground: Ground) -> list[Breach]:
    """Under the id of a change: other arguments, another number, another operation."""
    found = []
    async with _put_back(ground):
        first, second = (await _offered(ground))[:2]
        call_id, other = new_id(), OPERATIONS["faults.report"]
        await ground.outcome(SET_LANGUAGE, {"language": first}, call_id=call_id)
        for how, operation, number, arguments in (
            ("other arguments", SET_LANGUAGE, ground.number, {"language": second}),
            ("another number", SET_LANGUAGE, samples.NOBODY, {"language": first}),
            ("another operation", other.name, samples.NOBODY, samples.arguments(other)),
        ):
            answer = await ground.post(operation, envelope(OPERATIONS[operation], number, arguments, call_id))
            found += not_turned_away(asked(operation, number, f"under an id that was used, with {how}"), 409, answer)
        if (now := await _language(ground)) != first:
            asked_for = asked(SET_LANGUAGE, ground.number, "under an id that was used")
            found.append(Breach(asked_for, f"nothing is done: `subscribers.hello` tells {first}", f"it tells {now}"))
    return found


async def _offered(ground: Ground) -> list[str]:
    """The languages that the test number can have, found by setting each."""
    tried = [(each, await ground.outcome(SET_LANGUAGE, {"language": each})) for each in LANGUAGES]
    found = [language for language, came in tried if isinstance(came, Done)]
    if len(found) < 2:
        raise Broken(asked(SET_LANGUAGE, ground.number), "two languages at least", f"{len(found)} can be set")
    return found


async def _language(ground: Ground) -> str | None:
    language: str | None = (await ground.result("subscribers.hello")).get("language")
    return language


@asynccontextmanager
async def _put_back(ground: Ground) -> AsyncIterator[None]:
    """The number's language is as it was in the end, whatever was found; of a number that had none, it is `ru`."""
    before = await _language(ground) or WITHOUT_LANGUAGE
    try:
        yield
    finally:
        await ground.answer(SET_LANGUAGE, {"language": before})


def _same(how: str, first: Done | Refused, again: Done | Refused) -> list[Breach]:
    return [] if first == again else [Breach(how, f"the first answer: {told(first)}", told(again))]


# --- money ------------------------------------------------------------------------------------------------------------


async def money_once(ground: Ground) -> list[Breach]:
    """One call after another."""
    return await _top_up(ground, at_once=False)


async def money_at_once(ground: Ground) -> list[Breach]:
    """Ten calls that are under way at the same time."""
    return await _top_up(ground, at_once=True)


async def _top_up(ground: Ground, *, at_once: bool) -> list[Breach]:
    before, call_id = await _worth(ground), new_id()
    arguments: dict[str, Value] = {"sum": {"minor": 1, "currency": before[1]}, "place": "conformance"}
    if at_once:
        calls = (ground.outcome(TOP_UP, arguments, call_id=call_id) for _ in range(AT_ONCE))
        came = list(await asyncio.gather(*calls))
    else:
        came = [await ground.outcome(TOP_UP, arguments, call_id=call_id) for _ in range(TIMES)]
    how = asked(TOP_UP, ground.number, f"{len(came)} times under one id")
    if isinstance(came[0], Refused):
        raise Broken(how, "done", told(came[0]))
    found = [breach for each in came[1:] for breach in _same(how, came[0], each)]
    if (gained := (await _worth(ground))[0] - before[0]) != 1:
        found.append(Breach(how, "0.01 on the account, once", f"{gained / 100:.2f} on the account"))
    return found


async def _worth(ground: Ground) -> tuple[int, str]:
    """What is on the account less what is owed, in hundredths, and its currency: so much a top-up adds to, also when an
    extra balance is paid back from it."""
    result = await ground.result("balances.get")
    owed = result["owed"]["minor"] if "owed" in result else 0
    return result["balance"]["minor"] - owed, result["balance"]["currency"]


# --- refusals, and every change there is ------------------------------------------------------------------------------


async def refusal_is_kept(ground: Ground) -> list[Breach]:
    """Every operation that changes something, refused to a number that nobody holds: its id is used up."""

    async def look(operation: Operation) -> list[Breach]:
        call_id, name = new_id(), operation.name
        first, again = [await ground.outcome(name, samples.arguments(operation), **_of_nobody(call_id)) for _ in "12"]
        found = _same(asked(name, samples.NOBODY, "again under one id"), first, again)
        if (other := samples.other_arguments(operation)) is not None:
            answer = await ground.post(name, envelope(operation, samples.NOBODY, other, call_id))
            how = "under the id of a refused call, with other arguments"
            found += not_turned_away(asked(name, samples.NOBODY, how), 409, answer)
        return found

    return await of_each(look, _changing(ground))


async def refusal_is_told(ground: Ground) -> list[Breach]:
    """By the operation that the contract names for it."""

    async def look(operation: Operation) -> list[Breach]:
        call_id, given = new_id(), samples.arguments(operation)
        refused = await ground.outcome(operation.name, given, **_of_nobody(call_id))
        status = str(operation.status)
        told_by = {"call": call_id, **{n: given[n] for n in OPERATIONS[status].arguments if n in given}}
        came = await ground.outcome(status, told_by, number=samples.NOBODY)
        code = refused.code if isinstance(refused, Refused) else ""
        if isinstance(came, Done) and (came.result["outcome"], came.result.get("refusal")) == ("refused", code):
            return []
        how = asked(status, samples.NOBODY, f"about a {operation.name} that was refused")
        return [Breach(how, f"outcome refused, refusal {code}", told(came))]

    return await of_each(look, _changing(ground))


async def secrets_are_no_part(ground: Ground) -> list[Breach]:
    """The same call with another secret gets the first one's answer."""

    async def look(operation: Operation) -> list[Breach]:
        call_id, given = new_id(), samples.arguments(operation)
        first = await ground.outcome(operation.name, given, **_of_nobody(call_id))
        other = {**given, **{n: samples.another(operation.arguments[n].type) for n in samples.secrets(operation)}}
        answer = await ground.post(operation.name, envelope(operation, samples.NOBODY, other, call_id))
        came, how = outcome(operation.name, answer), asked(operation.name, samples.NOBODY, "with another secret")
        expected = f"the first answer: {told(first)}"
        return [Breach(how, expected, str(answer))] if isinstance(came, str) else _same(how, first, came)

    taking = [operation for operation in _changing(ground) if operation.takes_secret]
    return await of_each(look, taking)


def _changing(ground: Ground) -> list[Operation]:
    return [operation for operation in ground.asked() if operation.changes]


def _of_nobody(call_id: str) -> dict[str, str]:
    return {"number": samples.NOBODY, "call_id": call_id}


async def language_refusal(ground: Ground) -> list[Breach]:
    """A business refusal of the test number itself: a language that its country does not have."""
    async with _put_back(ground):
        for language in LANGUAGES:
            call_id = new_id()
            first = await ground.outcome(SET_LANGUAGE, {"language": language}, call_id=call_id)
            if is_refused(first, "LANGUAGE_NOT_OFFERED"):
                again = await ground.outcome(SET_LANGUAGE, {"language": language}, call_id=call_id)
                found = _same(asked(SET_LANGUAGE, ground.number, "again under one id"), first, again)
                expected: Mapping[str, Any] = {"outcome": "refused", "refusal": "LANGUAGE_NOT_OFFERED"}
                return found + _tells(ground.number, "about it", expected, await _status(ground, call_id))
    raise NotTried("the test number is refused no language")


# --- calls.status -----------------------------------------------------------------------------------------------------


async def status_of_done(ground: Ground) -> list[Breach]:
    call_id = await _done_call(ground)
    return _tells(ground.number, "about a call that is done", {"outcome": "done"}, await _status(ground, call_id))


async def status_of_unknown(ground: Ground) -> list[Breach]:
    """Asking about a call does not use up its id."""
    found, call_id = [], new_id()
    for asked_about in (call_id, "no-uuid"):
        came = await _status(ground, asked_about)
        found += _tells(ground.number, "about a call that was never made", {"outcome": "unknown_call"}, came)
    await _done_call(ground, call_id)
    return found


async def status_of_others(ground: Ground) -> list[Breach]:
    call_id = await _done_call(ground)
    came = await ground.result(STATUS, {"call": call_id}, number=samples.NOBODY)
    return _tells(samples.NOBODY, "about a call of another number", {"outcome": "unknown_call"}, came)


async def _done_call(ground: Ground, call_id: str | None = None) -> str:
    """The id of a call of the test number that is done. Raises Broken."""
    call_id = call_id or new_id()
    async with _put_back(ground):
        came = await ground.outcome(SET_LANGUAGE, {"language": WITHOUT_LANGUAGE}, call_id=call_id)
    if isinstance(came, Refused):
        raise Broken(asked(SET_LANGUAGE, ground.number), "done", told(came))
    return call_id


async def _status(ground: Ground, call_id: str) -> Mapping[str, Any]:
    return await ground.result(STATUS, {"call": call_id})


def _tells(number: str, how: str, expected: Mapping[str, Any], came: Mapping[str, Any]) -> list[Breach]:
    if all(came.get(name) == expected.get(name) for name in ("outcome", "refusal")):
        return []
    return [Breach(asked(STATUS, number, how), told(Done(expected)), told(Done(came)))]


PROMISES: Final = (
    Promise("once.effect", "A change that arrives again under its id has no second effect.", one_effect),
    Promise("once.same_call", "The language of texts and `by_sms` are no part of the intent.", the_same_call),
    Promise("once.other_call", "An id that was used for another call is 409, and nothing is done.", other_arguments),
    Promise("once.money", "Money that arrives again under one id comes once.", money_once),
    Promise("once.at_once", f"Money that arrives {AT_ONCE} times at once under one id comes once.", money_at_once),
    Promise("once.secrets", "Secrets are no part of the intent.", secrets_are_no_part),
    Promise("refusal.kept", "A refusal is kept, and its id is used up.", refusal_is_kept),
    Promise("refusal.told", "A refusal is told by the operation's status operation, with its code.", refusal_is_told),
    Promise("refusal.language", "A language that is not offered is refused, and that is told.", language_refusal),
    Promise("status.done", "`calls.status` tells of a call that it is done.", status_of_done),
    Promise("status.unknown", "`calls.status` tells of a call never made, which can come yet.", status_of_unknown),
    Promise("status.others", "`calls.status` tells nothing of another number's calls.", status_of_others),
)
