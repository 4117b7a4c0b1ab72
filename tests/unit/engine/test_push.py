"""Asking for a dialogue that we begin: what a request is, and that an id stands for one dialogue."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from ussd_engine import push
from ussd_engine.exchange import Fate, Pushed
from ussd_engine.metrics import Metrics
from ussd_engine.push import KNOWN_SECONDS, Pushes, PushSide, Wanted
from ussd_engine.signed import ClientKeys, Refused

ID = "0b0f8e6a-9a1e-4d7e-8a55-4f2f3c1d9a10"
FIELDS = {"id": ID, "msisdn": "77010000007", "network": "kcell", "code": "*111#"}
WANTED = Wanted(**FIELDS)


class ScriptedPushes:
    """Answers from a list, an error by raising it; counts what was begun."""

    def __init__(self, *script: Pushed | Refused) -> None:
        self.script = list(script)
        self.begun = 0

    async def begin(self, wanted: Wanted) -> Pushed:
        self.begun += 1
        await asyncio.sleep(0)
        answer = self.script.pop(0)
        if isinstance(answer, Refused):
            raise answer
        return answer


class Desk:
    """The HTTP side without HTTP, and a clock."""

    def __init__(self, *script: Pushed | Refused) -> None:
        self.pushes = ScriptedPushes(*script)
        self.clock = 0.0
        keys = ClientKeys({}, 60)
        self.side = PushSide(cast(Pushes, self.pushes), keys, Metrics(), lambda: self.clock)

    async def ask(self, body: bytes = b"{}", client: str = "core") -> Pushed:
        return await self.side._once(client, WANTED, body)


async def test_an_id_stands_for_one_dialogue_whatever_became_of_it() -> None:
    desk = Desk(Pushed(Fate.SILENT), Pushed(Fate.ACCEPTED))
    assert await asyncio.gather(desk.ask(), desk.ask()) == [Pushed(Fate.SILENT)] * 2
    assert await desk.ask() == Pushed(Fate.SILENT)
    assert desk.pushes.begun == 1
    desk.clock = KNOWN_SECONDS + 1
    assert await desk.ask() == Pushed(Fate.ACCEPTED)


async def test_what_was_refused_before_it_was_begun_may_be_asked_again() -> None:
    desk = Desk(Refused(409, "busy"), Pushed(Fate.ACCEPTED))
    with pytest.raises(Refused, match="busy"):
        await desk.ask()
    assert await desk.ask() == Pushed(Fate.ACCEPTED)


async def test_an_id_is_not_used_for_two_requests_of_one_client() -> None:
    desk = Desk(Pushed(Fate.ACCEPTED), Pushed(Fate.ACCEPTED))
    await desk.ask()
    with pytest.raises(Refused, match="used for another"):
        await desk.ask(b'{"code": "*222#"}')
    await desk.ask(client="somebody else")
    assert desk.pushes.begun == 2


async def test_a_dialogue_goes_on_when_who_asked_is_gone() -> None:
    desk = Desk(Pushed(Fate.ACCEPTED))
    asking = asyncio.ensure_future(desk.ask())
    await asyncio.sleep(0)
    asking.cancel()
    assert await desk.ask() == Pushed(Fate.ACCEPTED)
    assert desk.pushes.begun == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400), (b"\xff", 400), (b"[" * 5000, 422), (b"[]", 422), (b"{}", 422),
        (json.dumps({**FIELDS, "id": ID.upper()}).encode(), 422), (json.dumps({**FIELDS, "to": "1"}).encode(), 422),
        (json.dumps({**FIELDS, "notify": "Hello"}).encode(), 422), (json.dumps({**FIELDS, "code": None}).encode(), 422),
    ],
)  # fmt: skip
def test_a_body_that_asks_for_nothing_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(Refused) as caught:
        push._wanted(body)
    assert caught.value.status == status


@pytest.mark.parametrize("fields", [{}, {"notify": {"ru": "Привет"}}])
def test_a_menu_or_a_text_can_be_asked_for(fields: dict[str, Any]) -> None:
    assert push._wanted(json.dumps({**FIELDS, **fields}).encode()) == Wanted(**FIELDS, **fields)
