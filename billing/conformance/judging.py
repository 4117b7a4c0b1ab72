"""Whether an answer is one that the contract has: done or refused, or turned away as a problem.

Rules of this file (pure): what is wrong is said in words, after "expected", so that an operator can act on it. It is
stricter than the engine, which lets a detail that does not fit pass.
"""

from __future__ import annotations

from typing import Any, Final

from billing.calls import Done, Refused
from billing.conformance.asking import Answer
from billing.conformance.promise import Breach
from billing.contract import OPERATIONS, check_values
from billing.signing import SCHEME
from billing.wire import ANSWER_OCTETS_MAX, JSON_TYPE, PROBLEM_TYPE

DONE_OR_REFUSED: Final = "200 with `done` or `refused`"


def outcome(operation: str, answer: Answer) -> Done | Refused | str:
    """What the answer says; or in words what the contract expects of it, when it breaks the contract."""
    if answer.status != 200:
        return DONE_OR_REFUSED
    if answer.kind != JSON_TYPE:
        return f"{DONE_OR_REFUSED} as {JSON_TYPE}"
    if len(answer.octets) > ANSWER_OCTETS_MAX:
        return f"an answer of at most {ANSWER_OCTETS_MAX} octets"
    said = answer.said
    if type(said) is not dict or len(said.keys() & {"done", "refused"}) != 1:
        return "an object with either `done` or `refused`"
    return _done(operation, said["done"]) if "done" in said else _refused(operation, said["refused"])


def _done(operation: str, result: Any) -> Done | str:
    if type(result) is not dict:
        return "`done` is an object"
    faults = check_values(result, OPERATIONS[operation].results, "done", more_allowed=True)
    return "; ".join(f"{fault.field} {fault.what}" for fault in faults) or Done(result)


def _refused(operation: str, refusal: Any) -> Refused | str:
    codes = OPERATIONS[operation].refusals
    if type(refusal) is not dict or type(refusal.get("code")) is not str or refusal["code"] not in codes:
        return f"refused with one of {', '.join(codes)}" if codes else "an operation that is never refused"
    details = refusal.get("details", {})
    if type(details) is not dict:
        return "`details` is an object"
    faults = check_values(details, OPERATIONS[operation].details, "refused.details")
    return "; ".join(f"{fault.field} {fault.what}" for fault in faults) or Refused(refusal["code"], details)


def is_refused(came: Done | Refused | str, code: str) -> bool:
    """Whether it is this refusal, whatever its details."""
    return isinstance(came, Refused) and came.code == code


def not_turned_away(asked: str, status: int, answer: Answer, field: str | None = None) -> list[Breach]:
    """How an answer fails to be the problem with this status, naming `field` in `invalid_params` when it is given."""
    expected = f"{status} as {PROBLEM_TYPE}"
    if status == 401:
        expected += f", and `www-authenticate: {SCHEME}`"
    if field is not None:
        expected += f", naming {field} in invalid_params"
    is_one = answer.status == status and answer.kind == PROBLEM_TYPE and _is_problem(answer.said, status)
    told_how = status != 401 or answer.headers.get("www-authenticate", "").startswith(SCHEME)
    if is_one and told_how and (field is None or _names(answer.said, field)):
        return []
    header = f"; www-authenticate: {answer.headers.get('www-authenticate', 'absent')}" if status == 401 else ""
    return [Breach(asked, expected, f"{answer}{header}")]


def _is_problem(said: Any, status: int) -> bool:
    return type(said) is dict and type(said.get("title")) is str and said.get("status") == status


def _names(said: Any, field: str) -> bool:
    """Whether a problem names the field, or a part of it."""
    params = said.get("invalid_params")
    named = [each.get("field") for each in params if type(each) is dict] if type(params) is list else []
    return any(type(each) is str and (each == field or each.startswith(field + ".")) for each in named)
