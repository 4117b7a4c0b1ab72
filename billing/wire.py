"""The octets of a call and of its answer, for both sides: JSON to values, and an HTTP answer to an outcome.

Rules of this file (pure):
- A call is `POST /v1/operations/{name}` with `{"id", "msisdn", "language", "arguments"}`, and `"by_sms": true` when the
  answer is wanted by SMS. The id stands in the body so that it is signed.
- 200 carries `{"done": {…}}` or `{"refused": {"code": …, "details": {…}}}`. Everything else is a problem (RFC 9457).
- Only an answer that is sure becomes `Done`, `Refused` or `NotMade`; all else is `Unknown`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from billing.calls import Call, Done, NotMade, Outcome, Refused, Unknown
from billing.contract import Operation, Value, check_values, only_known

PATH: Final = "/v1/operations/"
REQUEST_OCTETS_MAX: Final = 64 * 1024
ANSWER_OCTETS_MAX: Final = 64 * 1024
JSON_TYPE: Final = "application/json"
PROBLEM_TYPE: Final = "application/problem+json"

_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
_NOT_DONE: Final = frozenset({400, 401, 403, 404, 405, 409, 411, 413, 414, 415, 421, 422, 426, 429, 431})
"""Statuses of HTTP that say the request was turned away, whoever says so: the core or a proxy before it."""
_NEVER: Final = frozenset({400, 409, 413, 422})
"""Those of them that the same request will get whenever it comes."""
_WHY_CHARACTERS_MAX: Final = 200


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a call."""

    id: uuid.UUID
    msisdn: str
    language: str
    arguments: dict[str, Any]
    by_sms: bool = False
    by: str | msgspec.UnsetType = msgspec.UNSET


class InvalidParam(msgspec.Struct, frozen=True):
    """A field that was not accepted: its path in the body, and why."""

    field: str
    reason: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was not served (RFC 9457). `not_done`: surely nothing was done, so it may be made anew."""

    title: str
    status: int
    detail: str = ""
    not_done: bool = False
    invalid_params: list[InvalidParam] = msgspec.field(default_factory=list)


class _Refusal(msgspec.Struct, frozen=True):
    code: str
    details: dict[str, Any] = msgspec.field(default_factory=dict)


class _Answer(msgspec.Struct, frozen=True):
    done: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    refused: _Refusal | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder()
_requests = msgspec.json.Decoder(Request)
_answers = msgspec.json.Decoder(_Answer)
_problems = msgspec.json.Decoder(Problem)


def request_octets(call: Call) -> bytes:
    """The body of a call."""
    body = {"id": call.id, "msisdn": call.msisdn, "language": call.language, "arguments": call.arguments}
    more = {**({"by_sms": True} if call.by_sms else {}), **({"by": call.by} if call.by else {})}
    return _encoder.encode({**body, **more})


def read_request(octets: bytes) -> Request:
    """A body as a record, its arguments unchecked. Raises msgspec.ValidationError, which names the field, and
    msgspec.DecodeError for what is no JSON at all."""
    try:
        return _requests.decode(octets)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None


def done_octets(result: Mapping[str, Value]) -> bytes:
    """The body that says: done."""
    return _encoder.encode({"done": result})


def refused_octets(code: str, details: Mapping[str, Value]) -> bytes:
    """The body that says: refused."""
    return _encoder.encode({"refused": {"code": code, "details": details} if details else {"code": code}})


def problem_octets(problem: Problem) -> bytes:
    """The body that says why a request was not served."""
    return _encoder.encode(problem)


def read_answer(operation: Operation, status: int, octets: bytes) -> Outcome:
    """What an HTTP answer to a call of `operation` means."""
    if status == 200:
        return _read_done_or_refused(operation, octets)
    if status in _NOT_DONE:
        return NotMade(f"turned away with {status}: {_problem(octets)}", for_ever=status in _NEVER)
    if status == 503 and _problem_says_not_done(octets):
        return NotMade(f"not done, says the core with 503: {_problem(octets)}")
    return Unknown(f"status {status}: {_problem(octets)}")


def _read_done_or_refused(operation: Operation, octets: bytes) -> Outcome:
    try:
        answer = _answers.decode(octets)
    except (msgspec.MsgspecError, RecursionError) as error:
        return Unknown(f"an answer that cannot be read: {error}")
    if isinstance(answer.done, dict) and answer.refused is msgspec.UNSET:
        if faults := check_values(answer.done, operation.results, "done", more_allowed=True):
            return Unknown(f"an answer that breaks the contract: {faults[0].field} {faults[0].what}")
        return Done(only_known(answer.done, operation.results))
    if isinstance(answer.refused, _Refusal) and answer.done is msgspec.UNSET and _CODE.match(answer.refused.code):
        # A refusal is certain whatever it carries: a detail that does not fit is left out, the refusal stands.
        fits = {n: v for n, v in answer.refused.details.items() if _fits(operation, n, v)}
        return Refused(answer.refused.code, fits)
    return Unknown("an answer that is neither done nor refused")


def _fits(operation: Operation, name: str, value: Value) -> bool:
    field = operation.details.get(name)
    return field is not None and not check_values({name: value}, {name: field}, "details", more_allowed=True)


def _problem(octets: bytes) -> str:
    try:
        problem = _problems.decode(octets)
    except (msgspec.MsgspecError, RecursionError):
        return "no problem document"
    params = "; ".join(f"{p.field} {p.reason}" for p in problem.invalid_params)
    said = ". ".join(part for part in (problem.title, problem.detail, params) if part)
    return said[:_WHY_CHARACTERS_MAX]


def _problem_says_not_done(octets: bytes) -> bool:
    try:
        return _problems.decode(octets).not_done
    except (msgspec.MsgspecError, RecursionError):
        return False
