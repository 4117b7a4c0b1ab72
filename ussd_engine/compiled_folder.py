"""The folder of compiled menus: what was found green once is read at the next start, and need not be checked again.

Rules of this file (a shell):
- An entry is a file under the name of its key; what a key stands for is `compiler.key_of`. Its first line says what it
  is, and has a digest of key and contents: a file that is damaged, cut off, or was another's is no entry.
- What lies here is served without a check, so it is believed only where nobody else can have written it: folder and
  file are ours, and nobody else may write to them. What is not believed is told, and left alone.
- Nothing here stops an engine: without the folder menus are checked, as they are the first time.
- Several processes share a folder: an entry is written beside, and renamed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ENTRIES_MAX = 8
"""So many are kept, those used last. One is what a start needs; the others are for who goes back and forth."""
_SUFFIX, _UNFINISHED = ".menus", ".part"
_UNFINISHED_SECONDS_MAX = 3600.0
"""Older than this, what somebody began to write was never finished."""
_HEAD = b"compiled menus 1 "
_HEAD_OCTETS = len(_HEAD) + 64 + 1


class _NotOurs(Exception):
    """Something that somebody else can have written, or that is not what its name says; the text says which."""


class CompiledFolder:
    """Entries by key."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        """`tell` is told what is ignored and what could not be kept, in a line with its reason."""
        self._path = path
        self._tell = tell

    def find(self, key: str) -> bytes | None:
        """The entry of this key; None where there is none that can be believed."""
        path = self._file(key)
        try:
            self._distrust(self._path, os.lstat(self._path))
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                self._distrust(path, os.fstat(file.fileno()))
                written = file.read()
            octets = written[_HEAD_OCTETS:]
            if written[:_HEAD_OCTETS] != _head(key, octets):
                raise _NotOurs(f"{path} is damaged, or no entry of this key")
        except FileNotFoundError:
            return None
        except (_NotOurs, OSError) as error:
            self._tell(f"compiled menus are not read: {error}")
            return None
        with suppress(OSError):
            os.utime(path)  # it was used last
        return octets

    def keep(self, key: str, octets: bytes) -> None:
        """Writes an entry, and removes those that were not used for longest."""
        unfinished = self._path / f"{key}.{secrets.token_hex(4)}{_UNFINISHED}"
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._distrust(self._path, os.lstat(self._path))
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(_head(key, octets) + octets)
            unfinished.replace(self._file(key))
            self._tidy()
        except (_NotOurs, OSError) as error:
            self._tell(f"compiled menus are not kept: {error}")
            with suppress(OSError):
                unfinished.unlink()

    @staticmethod
    def _distrust(path: Path, state: os.stat_result) -> None:
        """Raises _NotOurs where somebody else may have written."""
        if state.st_uid != os.geteuid():
            raise _NotOurs(f"{path} belongs to somebody else")
        if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or stat.S_ISLNK(state.st_mode):
            raise _NotOurs(f"others may write to {path}")

    def _file(self, key: str) -> Path:
        return self._path / f"{key}{_SUFFIX}"

    def _tidy(self) -> None:
        used: list[tuple[float, str]] = []
        long_ago = time.time() - _UNFINISHED_SECONDS_MAX
        with os.scandir(self._path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process tidies, too
                    changed = entry.stat(follow_symlinks=False).st_mtime
                    if entry.name.endswith(_SUFFIX):
                        used.append((changed, entry.path))
                    elif entry.name.endswith(_UNFINISHED) and changed < long_ago:
                        os.unlink(entry.path)
        for _, path in sorted(used, reverse=True)[ENTRIES_MAX:]:
            Path(path).unlink(missing_ok=True)


def _head(key: str, octets: bytes) -> bytes:
    return _HEAD + hashlib.sha256(key.encode() + b"\n" + octets).hexdigest().encode() + b"\n"
