"""An expected end of a command, and what of an address may be shown."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit


class Failure(Exception):
    """An expected end; the text is the line an operator reads."""


def where(url: str) -> str:
    """An address without user and password."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    return f"{host}{f':{parts.port}' if parts.port else ''}{parts.path}"
