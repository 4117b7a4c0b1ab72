"""Operations of a shop, for menus of tests: lists, codes and secrets that the contract of today does not have together."""
# ruff: noqa: E501 - a menu in a line is read better than one in three

from __future__ import annotations

from types import MappingProxyType

import pytest

from billing import contract
from billing.operation import Operation
from billing.values import Choice, Count, Field, Flag, Id, ListOf, Money, Secret, Text
from ussd_engine.language import crawl, menu_parts, schema, talk, talk_answers

ITEM = {
    "id": Field(Id(), "its id"),
    "name": Field(Text(20), "its name"),
    "price": Field(Money(), "what it costs"),
    "stock": Field(Count(999), "how many there are"),
}
SHOP = (
    Operation("shop.items", "What there is.", {}, {"items": Field(ListOf(ITEM, 120), "the items")},
              {"CLOSED": "the shop is closed"}, False, None, 1.0),
    Operation("shop.buy", "Buys one.", {"item": Field(Id(), "which"), "pin": Field(Secret(4), "the PIN")},
              {"code": Field(Text(8), "to fetch it with"), "left": Field(Count(999), "left")},
              {"WRONG_PIN": "another PIN", "SOLD_OUT": "none is left"}, True, "calls.status", 2.0, by_any_link=True),
    Operation("shop.visit", "Is one a member?", {}, {"member": Field(Flag(), "a member"),
              "level": Field(Choice(("gold", "plain")), "of what kind", optional=True)}, {}, False, None, 1.0),
    Operation("shop.join", "Becomes a member.", {"name": Field(Text(30), "the name")}, {}, {}, True, "calls.status", 2.0,
              by_any_link=True),
)  # fmt: skip


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract with a shop."""
    operations = MappingProxyType({**contract.OPERATIONS, **{each.name: each for each in SHOP}})
    for module in (contract, talk, talk_answers, crawl, menu_parts, schema):
        monkeypatch.setattr(module, "OPERATIONS", operations)
