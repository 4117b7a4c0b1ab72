"""Which function does which operation: one line each. A test holds this table against the contract."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from billing_core import balances, idempotency, subscribers, tariffs
from billing_core.database import Performing

PERFORMING: Mapping[str, Performing] = MappingProxyType(
    {
        "subscribers.hello": subscribers.hello,
        "subscribers.set_language": subscribers.set_language,
        "balances.get": balances.get,
        "tariffs.current": tariffs.current,
        "calls.status": idempotency.status,
    }
)
