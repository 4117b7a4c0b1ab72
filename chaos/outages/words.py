"""Words of our menus by which campaigns know who speaks: the engine in its own name, or a service."""

from __future__ import annotations

from typing import Any, Final

import yaml

from chaos.stand import REPOSITORY


def _of(file: str, screen: str) -> frozenset[str]:
    """A screen's text in every language."""
    described: dict[str, Any] = yaml.safe_load((REPOSITORY / "menus" / file).read_text())["screens"][screen]
    texts: dict[str, str] = described.get("end") or described["show"]
    return frozenset(texts.values())


ENGINE_AT_FAULT: Final = _of("engine.yaml", "try_again") | _of("engine.yaml", "being_checked")
"""Something of ours is away, and no service has words for it."""
DIAL_AGAIN: Final = _of("engine.yaml", "dial_again")
ENGINE: Final = ENGINE_AT_FAULT | DIAL_AGAIN | _of("engine.yaml", "not_served")
SORRY: Final = _of("common.yaml", "sorry")
WALLET_AWAY: Final = _of("wallet_common.yaml", "away")
RESUME: Final = _of("engine.yaml", "resume")
BALANCE: Final = frozenset({"Баланс", "Balance"})
"""With what the screen of a balance begins."""
TOO_OFTEN: Final = _of("engine.yaml", "too_often")
