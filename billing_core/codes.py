"""Codes of digits that somebody has to know: drawn at random, kept as keyed hashes.

Rules of this file:
- A code is drawn by `secrets`, told once, and lies in the database as HMAC-SHA256 under a key made from the pepper,
  which lies outside: without it a stolen table cannot be tried out. What it is for is hashed with it, so that the mark
  of one code says nothing of another.
- Marks of the same kind can be looked up, so a code can be unique while it holds.
- A pepper that was changed still knows the codes of before: what is typed is marked under each, what is drawn under the
  newest.
- Who types a code is forgiven spaces and digits of other scripts.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from typing import Final

CODE_DIGITS: Final = 8
_DASHES: Final = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"


def make_code(digits: int = CODE_DIGITS) -> str:
    """So many random digits."""
    return f"{secrets.randbelow(10**digits):0{digits}}"


def typed_code(text: str) -> str:
    """What was typed, as a code is written: spaces and dashes left out, other scripts' digits as ours."""
    found = (each for each in unicodedata.normalize("NFKC", text) if not each.isspace() and each not in _DASHES)
    return "".join(str(unicodedata.digit(each)) if each.isdigit() else each for each in found)


class Codes:
    """Marks codes."""

    def __init__(self, pepper: bytes, *older: bytes) -> None:
        """`pepper`: as in its key file; `older`: those of before."""
        self._keys = [hmac.digest(each, b"billing core: codes", hashlib.sha256) for each in (pepper, *older)]

    def mark(self, kind: str, code: str) -> bytes:
        """32 octets that stand for a code of this kind from now on."""
        return self.marks(kind, code)[0]

    def marks(self, kind: str, code: str) -> list[bytes]:
        """What may stand for it: under the pepper in use, and under those of before."""
        return [hmac.digest(key, f"{kind}\n{code}".encode(), hashlib.sha256) for key in self._keys]

    def fits(self, mark: bytes, kind: str, code: str) -> bool:
        """Whether this code is the one that the mark stands for; takes the same time for each code."""
        fitting = [hmac.compare_digest(mark, each) for each in self.marks(kind, code)]
        return any(fitting)
