"""The page of operations and events is the contract, and nothing else."""

from __future__ import annotations

from billing import reference
from billing.contract import OPERATIONS
from billing.events import EVENTS


def test_the_page_is_what_the_contract_says() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run: python -m billing.reference"


def test_every_operation_and_event_is_on_it() -> None:
    page = reference.page()
    assert all(f"### `{name}`" in page for name in OPERATIONS)
    assert all(f"| `{name}` |" in page for name in EVENTS)
