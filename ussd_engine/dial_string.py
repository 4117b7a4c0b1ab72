"""What was dialled, read by one pure parser: `*111*3#` is the code 111 and the part 3.

Tolerated, because networks and handsets do it: a missing first `*`, a missing or doubled last `#`, spaces, and
trailing CR, NUL or `@` padding. `**…#`, `##…#`, `*#…#` are supplementary services (3GPP TS 22.030), never ours.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PARTS_MAX = 20
_PADDING = "\r\n\0@ \t"
_PART = re.compile(r"[0-9A-Za-z+]*\Z")


class Dialled(NamedTuple):
    """A dialled string in its parts: `parts[0]` is the service code, an empty part is `""`."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"*{'*'.join(self.parts)}#"


def parse(text: str) -> Dialled | None:
    """Reads a dialled string; None when it is not one of ours."""
    text = text.strip(_PADDING).replace(" ", "")
    if text.startswith(("**", "##", "*#", "#")):
        return None
    body = text.removeprefix("*")
    body = body.removesuffix("#").removesuffix("#")
    parts = tuple(body.split("*"))
    if not parts[0] or len(parts) > PARTS_MAX or not all(map(_PART.match, parts)):
        return None
    return Dialled(parts)


def joined(destination: str, text: str) -> Dialled | None:
    """The dialled string of a begin: the whole of it in the text, or the code in the address and the rest in the text.

    A text that starts with `*`, or with the destination's code, is the whole string; an empty one leaves it to the
    destination; anything else is what follows the destination's code.
    """
    text = text.strip(_PADDING)
    if text.startswith(("*", "#")):
        return parse(text)
    code = parse(destination)
    if not text:
        return code
    typed = parse(text)
    if code is None or typed is None or typed.parts[0] == code.parts[0]:
        return typed
    return Dialled(code.parts + typed.parts)
