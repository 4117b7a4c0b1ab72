"""What the fields of a dialect are made of: operations, tags of TLVs, and octets, as an operator writes them (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from smpp import constants
from strict_yaml import Mistake, Node, did_you_mean

OP_CHARACTERS_MAX = 5
"""As many as a service_type has (SMPP 3.4 section 5.2.11)."""
Value: TypeAlias = int | str
_TAG = re.compile(r"0x[0-9a-fA-F]{4}\Z")
_OCTETS = re.compile(r"([0-9a-fA-F]{2}){1,32}\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,2}\Z")
_TAGS = {
    name.removeprefix("TAG_").lower(): number for name, number in vars(constants).items() if name.startswith("TAG_")
}


@dataclass(frozen=True)
class Op:
    """An operation: a decimal number of ussd_service_op, or the text that stands for it elsewhere."""

    value: Value

    @classmethod
    def from_yaml(cls, node: Node, mistakes: list[Mistake]) -> Op | None:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
            return cls(value)
        if isinstance(value, str) and _HEX.match(value):
            mistakes.append(Mistake(node.place, f"op {value} in hexadecimal", f"Write {int(value, 16)}, in decimal."))
            return None
        if isinstance(value, str) and 1 <= len(value) <= OP_CHARACTERS_MAX and value.isascii() and value.isprintable():
            return cls(value)
        cure = f"Write 0 to 255, or up to {OP_CHARACTERS_MAX} letters where the dialect has operations in text."
        mistakes.append(Mistake(node.place, f"'{value}' is no operation", cure))
        return None


@dataclass(frozen=True)
class Tag:
    """The tag of a TLV: its name in SMPP 3.4, or its number as `"0x1501"`."""

    number: int

    @classmethod
    def from_yaml(cls, node: Node, mistakes: list[Mistake]) -> Tag | None:
        text = node.value
        if isinstance(text, str) and (text in _TAGS or _TAG.match(text)):
            return cls(_TAGS[text] if text in _TAGS else int(text, 16))
        near = did_you_mean(text, _TAGS) if isinstance(text, str) and not text.startswith("0x") else ""
        cure = near if near.startswith("Did") else 'Write a name of SMPP 3.4, or "0x1501" in quotes.'
        mistakes.append(Mistake(node.place, f"'{text}' is no tag", cure))
        return None


@dataclass(frozen=True)
class Added:
    """A TLV that never changes, as `{tlv: dest_bearer_type, octets: "04"}`; the octets in hexadecimal."""

    tag: Tag
    octets: bytes

    @classmethod
    def from_yaml(cls, node: Node, mistakes: list[Mistake]) -> Added | None:
        tlv, octets = node.items.get("tlv"), node.items.get("octets")
        if tlv is None or octets is None or len(node.items) != 2:
            what = "a TLV is its tag and its octets"
            mistakes.append(Mistake(node.place, what, 'Write {tlv: dest_bearer_type, octets: "04"}.'))
            return None
        tag = Tag.from_yaml(tlv, mistakes)
        text = str(octets.value)
        if not _OCTETS.match(text):
            cure = 'Write 1 to 32 octets of two digits each, in quotes: "04".'
            mistakes.append(Mistake(octets.place, f"'{text}' is no octets", cure))
            return None
        return None if tag is None else cls(tag, bytes.fromhex(text))
