"""Promises of fields: what does not fit is turned away with 422, named, and never repeated.

Rules of this file: everything is asked of a number that nobody holds, so that nothing happens where it is let in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from billing.conformance import samples
from billing.conformance.ground import Ground, asked, envelope, octets_of, of_each
from billing.conformance.judging import not_turned_away
from billing.conformance.promise import Breach, NotTried, Promise
from billing.contract import Operation, Secret

EXTRA: Final = "unheard_of"
ONLY_SOMETIMES: Final = ("by", "by_sms")
"""Fields that may be left out."""


class _Misfit(NamedTuple):
    """A call with one field that does not fit."""

    operation: Operation
    field: str
    how: str
    body: Mapping[str, Any]


Misfits: TypeAlias = "Callable[[Operation], Iterator[_Misfit]]"


def _missing(operation: Operation) -> Iterator[_Misfit]:
    for name, field in operation.arguments.items():
        if not field.optional:
            left = {each: value for each, value in samples.arguments(operation).items() if each != name}
            yield _Misfit(operation, f"arguments.{name}", "missing", envelope(operation, arguments=left))


def _unknown(operation: Operation) -> Iterator[_Misfit]:
    given = {**samples.arguments(operation), EXTRA: "x"}
    yield _Misfit(operation, f"arguments.{EXTRA}", "not known", envelope(operation, arguments=given))


def _bad(operation: Operation, *, types: bool) -> Iterator[_Misfit]:
    for name, field in operation.arguments.items():
        for bad in samples.bad(field.type):
            if bad.is_type == types:
                given = {**samples.arguments(operation), name: bad.value}
                yield _Misfit(operation, f"arguments.{name}", bad.what, envelope(operation, arguments=given))


def _envelope(operation: Operation, *, field: str) -> Iterator[_Misfit]:
    whole = envelope(operation)
    if field not in ONLY_SOMETIMES:
        left = {name: value for name, value in whole.items() if name != field}
        yield _Misfit(operation, field, "missing", left)
    if field != "by" or operation.by_manager:
        for bad in samples.ENVELOPE[field]:
            yield _Misfit(operation, field, bad.what, {**whole, field: bad.value})


def _by_where_nobody_manages(operation: Operation) -> Iterator[_Misfit]:
    if not operation.by_manager:
        yield _Misfit(operation, "by", "not for this operation", {**envelope(operation), "by": samples.ALSO_NOBODY})


def _beside(operation: Operation) -> Iterator[_Misfit]:
    yield _Misfit(operation, EXTRA, "not known", {**envelope(operation), EXTRA: "x"})


async def _turned_away(misfits: Misfits, ground: Ground) -> list[Breach]:
    async def look(misfit: _Misfit) -> list[Breach]:
        answer = await ground.post(misfit.operation.name, misfit.body)
        how = f"`{misfit.field}` {misfit.how}"
        return not_turned_away(asked(misfit.operation.name, samples.NOBODY, how), 422, answer, misfit.field)

    return await of_each(look, (misfit for operation in ground.asked() for misfit in misfits(operation)))


# --- secrets ----------------------------------------------------------------------------------------------------------


async def never_repeated(ground: Ground) -> list[Breach]:
    """Whatever else is wrong with the call, and also when the secret itself is."""
    taking = [operation for operation in ground.asked() if operation.takes_secret]
    if not taking:
        raise NotTried("no client given here may ask for anything that takes a secret")

    async def look(sent: tuple[Operation, str, Mapping[str, Any] | bytes]) -> list[Breach]:
        operation, how, body = sent
        answer = await ground.post(operation.name, body)
        if not any(mark in answer.octets for mark in _marks(operation)):
            return []
        said = f"{answer.status} with the secret in its body"
        return [Breach(asked(operation.name, samples.NOBODY, how), "an answer without the secret", said)]

    calls = ((operation, how, body) for operation in taking for how, body in _with_secrets(operation))
    return await of_each(look, calls)


def _with_secrets(operation: Operation) -> Iterator[tuple[str, Mapping[str, Any] | bytes]]:
    """Calls with a secret in them: as they must be, and with everything that can be wrong."""
    yield "as it must be", envelope(operation)
    for misfits in (*_OF_ARGUMENTS.values(), *_OF_ENVELOPE.values(), _beside, _by_where_nobody_manages):
        for misfit in misfits(operation):
            yield f"`{misfit.field}` {misfit.how}", misfit.body
    yield "with a body that breaks off", octets_of(envelope(operation))[:-1]


def _marks(operation: Operation) -> list[bytes]:
    """What an answer must not hold: the beginnings of the secrets that are sent."""
    kinds = [field.type for field in operation.arguments.values()]
    lengths = [kind.characters_max for kind in kinds if isinstance(kind, Secret)]
    return [samples.SECRET[: min(lengths)].encode(), str(samples.SECRET_NUMBER).encode()]


_OF_ARGUMENTS: Final[Mapping[str, Misfits]] = {
    "missing": _missing,
    "wrong_type": partial(_bad, types=True),
    "out_of_bounds": partial(_bad, types=False),
    "unknown": _unknown,
}
_OF_ENVELOPE: Final[Mapping[str, Misfits]] = {field: partial(_envelope, field=field) for field in samples.ENVELOPE}
_MEANS: Final = {
    "missing": "An argument that is missing is turned away with 422, and named.",
    "wrong_type": "An argument of another type is turned away with 422, and named.",
    "out_of_bounds": "An argument that is too long, or otherwise out of bounds, is turned away with 422, and named.",
    "unknown": "An argument that is not known is turned away with 422, and named.",
}

PROMISES: Final = (
    *(Promise(f"arguments.{what}", _MEANS[what], partial(_turned_away, each)) for what, each in _OF_ARGUMENTS.items()),
    *(
        Promise(f"envelope.{field}", f"`{field}`, when it does not fit, is 422 and named.", partial(_turned_away, each))
        for field, each in _OF_ENVELOPE.items()
    ),
    Promise(
        "envelope.by_manager",
        "`by` is 422 for an operation that managers do not ask for.",
        partial(_turned_away, _by_where_nobody_manages),
    ),
    Promise("envelope.unknown", "A field that is not known is 422, and named.", partial(_turned_away, _beside)),
    Promise("secrets.never_repeated", "No answer repeats a secret that was sent.", never_repeated),
)
