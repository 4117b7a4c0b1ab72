"""Signed requests to the engine's HTTP side: who asks, and what (`billing.signing`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web

from billing.signing import SigningError, verify

BODY_SECONDS_MAX = 5.0


class ClientKeys(NamedTuple):
    """Who may ask: name → HMAC keys, and how far their clocks may be off."""

    keys: Mapping[str, Sequence[bytes]]
    skew_seconds_max: float


class Refused(Exception):
    """A request that is not served: its status, and why, in words that name no value."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        super().__init__(detail)


class Signed(NamedTuple):
    """A request that is what its signature says."""

    client: str
    body: bytes


async def read_signed(request: web.Request, clients: ClientKeys) -> Signed:
    """The body, and who signed it. Raises Refused."""
    try:
        body = await asyncio.wait_for(request.read(), BODY_SECONDS_MAX)
    except TimeoutError:
        raise Refused(408, f"the body did not come within {BODY_SECONDS_MAX:g} s") from None
    header = request.headers.get("Authorization", "")
    try:
        client = verify(clients.keys, request.method, request.path, header, body, time.time(), clients.skew_seconds_max)
    except SigningError as error:
        raise Refused(401, str(error)) from None
    return Signed(client, body)


def problem(status: int, detail: str) -> web.Response:
    """RFC 9457; `detail` names fields and reasons, never values."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")
