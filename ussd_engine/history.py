"""The last dialogues of a number as the subscriber saw them, for customer care (pure).

What was typed stands here only when a screen took it and it was no secret; a confidential screen stands here as its
repeat reads. Nothing that was dialled after a code is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

SECRET: Final = "****"  # noqa: S105 - what stands in place of one
WRONG: Final = "(?)"
"""In place of an answer that no screen took: it may have been anything."""
TURNS_MAX = 60


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """What was typed (of the first: the code), and the screen that came back."""

    typed: str
    shown: str
    at: float


class Dialogue(msgspec.Struct, frozen=True, array_like=True):
    """One dialogue, or the part of it that one engine process has seen. Times in seconds since 1970."""

    id: str
    service: str
    link: str
    began: float
    cause: str
    turns: tuple[Turn, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Dialogue)


def to_octets(dialogue: Dialogue) -> bytes:
    """The dialogue as it lies in the store."""
    return _encoder.encode(dialogue)


def from_octets(octets: bytes) -> Dialogue | None:
    """The dialogue in these octets; None when another release has written them."""
    try:
        return _decoder.decode(octets)
    except msgspec.MsgspecError:
        return None


def together(dialogues: Iterable[Dialogue]) -> list[Dialogue]:
    """Dialogues of which several processes have told their part, each as one: the newest first."""
    found: dict[str, list[Dialogue]] = {}
    for each in dialogues:
        found.setdefault(each.id, []).append(each)
    whole = []
    for parts in found.values():
        parts.sort(key=lambda each: each.turns[0].at if each.turns else each.began)
        turns = tuple(turn for each in parts for turn in each.turns)
        whole.append(msgspec.structs.replace(parts[-1], turns=turns))
    return sorted(whole, key=lambda each: each.began, reverse=True)
