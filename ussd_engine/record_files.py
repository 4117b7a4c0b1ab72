"""Files of records (CDR), as billing and mediation collect them.

Rules of this file:
- One file at a time is being written, `NAME.000042.20261124T230000Z.part`; after an hour, or when the engine ends, it
  loses the `.part` and is nobody's but the collector's. A rename is the only sign, and it is atomic.
- The folder may be entered by owner and group (0750), files read by both (0640).
- File numbers go on from the last one, also after the files were taken away (`NAME.sequence`); records are numbered
  through a file, whose first line names the file, and whose last line says how many there were.
- Lines are gathered for a moment and written together. What an engine that is killed had in hand is lost: at most that.
- A disk that is full costs no line and leaves no half of one: what a write did not finish is cut off again, and waits.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from .record import FORMAT, Record, moment, to_line

FILE_MODE, FOLDER_MODE = 0o640, 0o750
PART = ".part"
WAITING_MAX = 200_000
"""Records that wait to be written; past this the oldest are lost."""


class RecordsBusy(Exception):
    """Another engine writes records under this name; the text says what to do."""


class RecordFiles:
    """Writes the records of one engine process."""

    def __init__(self, folder: Path, name: str, rotate_seconds: float, wall_clock: Callable[[], float]) -> None:
        """`name`: of this engine, at the head of each file's name. Raises RecordsBusy and OSError."""
        self._folder = folder
        self._name = name
        self._rotate_seconds = rotate_seconds
        self._wall_clock = wall_clock
        self._waiting: deque[Callable[[int], Record]] = deque(maxlen=WAITING_MAX)
        self._number = 0
        self._descriptor: int | None = None
        self._octets = 0
        self._path = folder
        self._opened = 0.0
        self._records = 0
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(FOLDER_MODE)
        self._lock = self._take_lock()
        self._close_what_was_left()

    def _take_lock(self) -> BinaryIO:
        """The number of the last file lies in a file that only one engine holds."""
        descriptor = os.open(self._folder / f"{self._name}.sequence", os.O_RDWR | os.O_CREAT, FILE_MODE)
        lock = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise RecordsBusy(
                f"another engine writes records as '{self._name}' in {self._folder}: give each its own `engine.name`"
            ) from None
        return lock

    def _close_what_was_left(self) -> None:
        """A file that an engine left behind when it was killed is handed over as it is."""
        for path in self._folder.glob(f"{self._name}.*{PART}"):
            path.rename(path.with_suffix(".jsonl"))

    def add(self, record: Callable[[int], Record]) -> bool:
        """Takes a record, which is made once its number is known; `flush` writes it. False: an older one is lost."""
        has_room = len(self._waiting) < WAITING_MAX
        self._waiting.append(record)
        return has_room

    def flush(self) -> None:
        """Writes what was taken, and begins a new file when it is time. Raises OSError; nothing taken is lost."""
        now = self._wall_clock()
        if self._descriptor is not None and not 0 <= now - self._opened < self._rotate_seconds:
            self._hand_over()  # also where the clock was set back: who collects waits no longer than was said
        if not self._waiting:
            return
        if self._descriptor is None:
            self._open(now)
        self._write(b"".join(to_line(make(self._records + at)) for at, make in enumerate(self._waiting, 1)))
        self._records += len(self._waiting)
        self._waiting.clear()

    def _open(self, now: float) -> None:
        self._number = self._number or self._next_number()
        at = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        self._path = self._folder / f"{self._name}.{self._number:06}.{at}{PART}"
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        self._opened, self._records, self._octets = now, 0, 0
        head = {"record": "begin", "format": FORMAT, "engine": self._name, "file": self._number, "at": moment(now)}
        try:
            os.fchmod(self._descriptor, FILE_MODE)
            self._write(msgspec.json.encode(head) + b"\n")
        except OSError:  # its number is the next file's
            os.close(self._descriptor)
            self._descriptor = None
            self._path.unlink()
            raise
        self._number = 0

    def _write(self, lines: bytes) -> None:
        """All of it, or nothing. Raises OSError."""
        assert self._descriptor is not None  # noqa: S101 - asked by who has opened it
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._octets)
            os.lseek(self._descriptor, self._octets, os.SEEK_SET)
            raise
        self._octets += len(lines)

    def _next_number(self) -> int:
        self._lock.seek(0)
        number = int(self._lock.read() or b"0") + 1
        os.pwrite(self._lock.fileno(), b"%d" % number, 0)
        return number

    def _hand_over(self) -> None:
        assert self._descriptor is not None  # noqa: S101 - asked by who has looked
        tail = {"record": "end", "records": self._records, "at": moment(self._wall_clock())}
        self._write(msgspec.json.encode(tail) + b"\n")
        os.close(self._descriptor)
        self._descriptor = None
        self._path.rename(self._path.with_suffix(".jsonl"))

    def close(self) -> None:
        """Writes what is left and hands the file over."""
        self.flush()
        if self._descriptor is not None:
            self._hand_over()
        self._lock.close()
