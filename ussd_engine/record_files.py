"""Files of records (CDR), as billing and mediation collect them.

Rules of this file:
- One file at a time is being written, `NAME.000042.20261124T230000Z.part`; after an hour, or when the engine ends, it
  loses the `.part` and is nobody's but the collector's. A rename is the only sign, and it is atomic.
- The folder may be entered by owner and group (0750), files read by both (0640).
- File numbers go on from the last one, also after the files were taken away (`NAME.sequence`); records are numbered
  through a file, whose first line names the file, and whose last line says how many there were.
- Lines are gathered for a moment and written together. What an engine that is killed had in hand is lost: at most that.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from .record import FORMAT, Record, moment, to_line

FILE_MODE, FOLDER_MODE = 0o640, 0o750
PART = ".part"


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
        self._waiting: list[Callable[[int], Record]] = []
        self._file: BinaryIO | None = None
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

    def add(self, record: Callable[[int], Record]) -> None:
        """Takes a record, which is made once its number is known; `flush` writes it."""
        self._waiting.append(record)

    def flush(self) -> None:
        """Writes what was taken, and begins a new file when it is time. Raises OSError; nothing taken is lost."""
        now = self._wall_clock()
        if self._file is not None and now - self._opened >= self._rotate_seconds:
            self._hand_over()
        if not self._waiting:
            return
        if self._file is None:
            self._open(now)
        taken, self._waiting = self._waiting, []
        lines = b"".join(to_line(make(self._records + at)) for at, make in enumerate(taken, 1))
        assert self._file is not None  # noqa: S101 - opened above
        try:
            self._file.write(lines)
            self._file.flush()
        except OSError:
            self._waiting = taken + self._waiting
            raise
        self._records += len(taken)

    def _open(self, now: float) -> None:
        number = self._next_number()
        at = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        self._path = self._folder / f"{self._name}.{number:06}.{at}{PART}"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)
        self._file = os.fdopen(descriptor, "wb")
        self._opened, self._records = now, 0
        head = {"record": "begin", "format": FORMAT, "engine": self._name, "file": number, "at": moment(now)}
        self._file.write(msgspec.json.encode(head) + b"\n")

    def _next_number(self) -> int:
        self._lock.seek(0)
        number = int(self._lock.read() or b"0") + 1
        self._lock.seek(0)
        self._lock.write(b"%d" % number)
        self._lock.flush()
        return number

    def _hand_over(self) -> None:
        assert self._file is not None  # noqa: S101 - asked by who has looked
        tail = {"record": "end", "records": self._records, "at": moment(self._wall_clock())}
        self._file.write(msgspec.json.encode(tail) + b"\n")
        self._file.close()
        self._path.rename(self._path.with_suffix(".jsonl"))
        self._file = None

    def close(self) -> None:
        """Writes what is left and hands the file over."""
        self.flush()
        if self._file is not None:
            self._hand_over()
        self._lock.close()
