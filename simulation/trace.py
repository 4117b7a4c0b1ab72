"""What happened, a line an event: the hash of all lines says whether two runs were the same."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

KEPT_LINES = 40


class Trace:
    """The lines of one run. `shown`: where each goes as well, if anybody looks."""

    def __init__(self, now: Callable[[], float], shown: Callable[[str], None] | None = None) -> None:
        self._now = now
        self._shown = shown
        self._hash = hashlib.sha256()
        self.last: deque[str] = deque(maxlen=KEPT_LINES)
        self.count = 0

    def note(self, who: str, what: str) -> None:
        """Something happened."""
        line = f"{self._now():11.6f} {who:14} {what}"
        self.count += 1
        self._hash.update(line.encode())
        self._hash.update(b"\n")
        self.last.append(line)
        if self._shown is not None:
            self._shown(line)

    @property
    def hash(self) -> str:
        """SHA-256 of all lines so far, in hex."""
        return self._hash.hexdigest()
