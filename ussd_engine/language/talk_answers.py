"""What a talk says that the core answers, read against the contract (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.calls import Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS, check_values
from strict_yaml import Mistake, Node, did_you_mean


class Stop(Exception):
    """The talk cannot go on after this mistake."""

    def __init__(self, node: Node, what: str, cure: str) -> None:
        self.mistake = Mistake(node.place, what, cure)
        super().__init__(what)


def outcome_word(outcome: Outcome) -> str:
    """An outcome as coverage and counters name it: `done`, a refusal's code, `unknown`, `not_made`."""
    if isinstance(outcome, Refused):
        return outcome.code
    return {Done: "done", Unknown: "unknown", NotMade: "not_made"}[type(outcome)]


def outcome_from(operation: str, node: Node) -> Outcome:
    """`unknown`, `not_made`, `{done: {…}}` or `{refused: CODE}`, checked against the contract."""
    if node.value == "unknown":
        return Unknown("the test says so")
    if node.value == "not_made":
        return NotMade("the test says so")
    contract = OPERATIONS.get(operation)
    if contract is None:
        raise Stop(node, f"the billing contract has no call '{operation}'", did_you_mean(operation, OPERATIONS))
    if "refused" in node.items:
        code = str(node.items["refused"].value)
        if code not in contract.refusals:
            cure = did_you_mean(code, contract.refusals)
            raise Stop(node.items["refused"], f"'{operation}' is never refused with '{code}'", cure)
        details = node.items["with"].plain() if "with" in node.items else {}
        return Refused(code, details)
    if "done" not in node.items:
        raise Stop(node, "an answer that is none of the four outcomes", "Write done, refused, unknown or not_made.")
    result: Mapping[str, Any] = node.items["done"].plain() or {}
    faults = check_values(result, contract.results, "done")
    if faults:
        raise Stop(node.items["done"], f"{faults[0].field} {faults[0].what}", "Write what the contract promises.")
    return Done(result)
