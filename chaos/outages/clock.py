"""The wall clock of cores and engines, which a campaign sets while they run; PostgreSQL keeps its own.

Their time is what `time.time` says: `set_clock/sitecustomize.py` stands in front of it, in processes that are started
with `environment`.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

_SECONDS: Final = struct.Struct("d")


class Clock:
    """One clock. `folder`: where its file lies."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "clock"
        self._path.write_bytes(_SECONDS.pack(0.0))
        with self._path.open("r+b") as file:
            self._octets = mmap.mmap(file.fileno(), _SECONDS.size)
        self.ahead = 0.0

    @property
    def environment(self) -> dict[str, str]:
        """For processes that go by it."""
        places = [str(Path(__file__).parent / "set_clock"), os.environ.get("PYTHONPATH", "")]
        return {"PYTHONPATH": os.pathsep.join(filter(None, places)), "USSD_CHAOS_CLOCK": str(self._path)}

    def set(self, ahead: float) -> None:
        """From now on it is so many seconds ahead of the truth."""
        self.ahead = ahead
        _SECONDS.pack_into(self._octets, 0, ahead)

    def __call__(self) -> float:
        """Unix time by this clock."""
        return time.time() + self.ahead
