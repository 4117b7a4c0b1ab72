"""Signed requests to the engine's HTTP side: who asks, and what (`billing.signing`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler

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
        target = request.raw_path  # as it stands in the request line, with its query
        client = verify(clients.keys, request.method, target, header, body, time.time(), clients.skew_seconds_max)
    except SigningError as error:
        raise Refused(401, str(error)) from None
    return Signed(client, body)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the server itself refuses (no such page, another method, too large a body) is a problem document, too."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        refused = problem(error.status, error.reason)
        if allowed := error.headers.get("Allow"):
            refused.headers["Allow"] = allowed
        return refused


def problem(status: int, detail: str) -> web.Response:
    """RFC 9457; `detail` names fields and reasons, never values."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")
