"""What a campaign is told, and what it tells."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

FAILURES_SHOWN_MAX = 20


@dataclass(frozen=True)
class Terms:
    """How large a campaign is, and from what it draws.

    `scale`: 1.0 is the whole, 0.1 a tenth. `folder`: where it may write; its path is short enough for sockets.
    """

    scale: float
    seed: int
    folder: Path
    say: Callable[[str], None]

    def times(self, whole: int, least: int = 1) -> int:
        """So many times at this scale, when `whole` is the whole."""
        return max(least, round(whole * self.scale))

    def chance(self, of: str) -> random.Random:
        """A source of chance of its own for each part, so that one that draws more leaves the others as they were."""
        return random.Random(f"{self.seed} {of}")


@dataclass
class Report:
    """What came of a campaign: figures by their names, and everything that did not hold."""

    name: str
    seed: int
    figures: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def check(self, holds: bool, failure: str) -> None:
        """Notes the failure unless it holds."""
        if not holds:
            self.failures.append(failure)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"name": self.name, "seed": self.seed, "figures": self.figures, "failures": self.failures}

    def as_text(self) -> str:
        """For people."""
        head = "FAIL" if self.failures else "pass"
        lines = [f"{head}: {self.name} (seed {self.seed})"]
        lines += [f"  {name}: {_shown(value)}" for name, value in self.figures.items()]
        lines += [f"  - {failure}" for failure in self.failures[:FAILURES_SHOWN_MAX]]
        if len(self.failures) > FAILURES_SHOWN_MAX:
            lines.append(f"  - and {len(self.failures) - FAILURES_SHOWN_MAX} more")
        return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


Campaign: TypeAlias = Callable[[Terms], Awaitable[Report]]
