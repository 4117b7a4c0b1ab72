"""Promises of answers: a number that nobody holds, and what can be read of one that is in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from billing.calls import Done, Refused
from billing.conformance import samples
from billing.conformance.ground import Ground, asked, envelope, of_each, told
from billing.conformance.judging import is_refused, outcome
from billing.conformance.promise import Breach, Broken, NotTried, Promise
from billing.contract import LANGUAGES, Operation, Value

IN_USE: Final = "active"
SHUT: Final = ("UNKNOWN_NUMBER", "BARRED", "BLOCKED", "CLOSED", "NOT_MANAGED")
"""With these an operation is not refused to the test number: it is active, and asks for itself."""
CITIES_MAX: Final = 5
PREFIXES_MAX: Final = 3


async def nobody(ground: Ground) -> list[Breach]:
    """Operations that never say UNKNOWN_NUMBER, as `calls.status`, answer as the contract has it."""

    async def look(operation: Operation) -> list[Breach]:
        answer = await ground.post(operation.name, envelope(operation))
        judged, said = outcome(operation.name, answer), asked(operation.name, samples.NOBODY)
        if isinstance(judged, str):
            return [Breach(said, judged, str(answer))]
        if "UNKNOWN_NUMBER" in operation.refusals and not is_refused(judged, "UNKNOWN_NUMBER"):
            return [Breach(said, "refused UNKNOWN_NUMBER", told(judged))]
        return []

    return await of_each(look, ground.asked())


async def active(ground: Ground) -> list[Breach]:
    """Of the test number, and of the wallet's."""
    found = []
    for number in dict.fromkeys((ground.number, *((ground.wallet.number,) if ground.wallet else ()))):
        status = (await ground.result("subscribers.hello", number=number))["status"]
        if status != IN_USE:
            found.append(Breach(asked("subscribers.hello", number), f"a number that is {IN_USE}", f"it is {status}"))
    return found


async def read(ground: Ground) -> list[Breach]:
    """Every operation that only reads, in every language, with arguments that are made up."""

    async def look(each: tuple[Operation, str]) -> list[Breach]:
        operation, language = each
        came = await ground.outcome(operation.name, samples.arguments(operation), language=language)
        if isinstance(came, Refused) and came.code in SHUT:
            return [Breach(asked(operation.name, ground.number), f"an answer to an {IN_USE} number", told(came))]
        return []

    reading = [operation for operation in ground.asked() if not operation.changes]
    return await of_each(look, ((operation, language) for operation in reading for language in LANGUAGES))


async def listed(ground: Ground) -> list[Breach]:
    """What a list tells can be asked about: cities, and the prefixes of the number's brand."""
    found: list[Breach] = []
    for city in (await ground.result("service_points.cities"))["cities"][:CITIES_MAX]:
        found += await _must_be_done(ground, "service_points.of_city", ground.number, {"city": city["id"]})
    brand = (await ground.result("subscribers.hello"))["brand"]
    prefixes = await ground.outcome("numbers.prefixes", {"brand": brand})
    told_of: Any = prefixes.result["prefixes"] if isinstance(prefixes, Done) else []
    for prefix in told_of[:PREFIXES_MAX]:
        sought: dict[str, Value] = {"brand": brand, "prefix": prefix["prefix"]}
        found += await _must_be_done(ground, "numbers.search", ground.number, sought)
    return found


async def of_the_wallet(ground: Ground) -> list[Breach]:
    """What a wallet's holder can look at, in every language."""
    if ground.wallet is None:
        raise NotTried("it takes a wallet: --wallet and --pin")
    number, found = ground.wallet.number, []
    for name in ("wallet.state", "wallet.balance", "wallet.history", "wallet.recent", "wallet.categories"):
        for language in LANGUAGES:
            found += await _must_be_done(ground, name, number, {}, language)
    if not (await ground.result("wallet.state", number=number))["registered"]:
        found.append(Breach(asked("wallet.state", number), "`registered` true: it has a wallet", "false"))
    categories = await ground.result("wallet.categories", number=number)
    for category in categories["categories"]:
        found += await _must_be_done(ground, "wallet.services", number, {"category": category["id"]})
    return found


async def not_managed(ground: Ground) -> list[Breach]:
    """Every reading operation for managers, asked by a number that nobody holds."""

    async def look(operation: Operation) -> list[Breach]:
        body = {**envelope(operation, ground.number), "by": samples.NOBODY}
        answer = await ground.post(operation.name, body)
        judged = outcome(operation.name, answer)
        if is_refused(judged, "NOT_MANAGED"):
            return []
        came = str(answer) if isinstance(judged, str) else told(judged)
        return [Breach(asked(operation.name, ground.number, "by a stranger"), "refused NOT_MANAGED", came)]

    managed = [operation for operation in ground.asked() if operation.by_manager and not operation.changes]
    return await of_each(look, managed)


async def _must_be_done(
    ground: Ground, operation: str, number: str, arguments: Mapping[str, Value], language: str = "ru"
) -> list[Breach]:
    try:
        came = await ground.outcome(operation, arguments, number=number, language=language)
    except Broken as broken:
        return [broken.breach]
    return [] if isinstance(came, Done) else [Breach(asked(operation, number), "done", told(came))]


PROMISES: Final = (
    Promise("number.unknown", "Of a number that nobody holds, UNKNOWN_NUMBER is told.", nobody),
    Promise("number.active", "The number that was given is active, as `subscribers.hello` tells it.", active),
    Promise("reading.results", "What is read has the results, refusals and details of the contract.", read),
    Promise("reading.listed", "What a list names can be asked about.", listed),
    Promise("reading.wallet", "A wallet's holder can look at what is in it, and what it can pay.", of_the_wallet),
    Promise("reading.not_managed", "Who does not manage a number is refused with NOT_MANAGED.", not_managed),
)
