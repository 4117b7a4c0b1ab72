"""What the domains work with beside the database, made once for a process."""

from __future__ import annotations

from dataclasses import dataclass, field

from billing_core.billers import Billers
from billing_core.codes import Codes
from billing_core.ledger import Ledger
from billing_core.measures import Measures
from billing_core.passwords import Hasher
from billing_core.rules import Rules
from billing_core.sealing import Seal


@dataclass(frozen=True)
class Tools:
    """Rules, keys and ports."""

    rules: Rules
    hasher: Hasher
    seal: Seal
    codes: Codes
    billers: Billers
    measures: Measures
    ledger: Ledger = field(default_factory=Ledger)
