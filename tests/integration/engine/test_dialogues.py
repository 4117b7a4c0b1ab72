"""Dialogues on the wire, with binds that a test can fill, cut and misuse: what is a repeat, and whose it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from billing.calls import Call, Done, Outcome
from masking import Masker
from sessions.neighbours import Alone, Neighbours, Standing
from sessions.redis_store import RedisStore
from sessions.store import StoreAway
from smpp.constants import ESME_RMSGQFUL, ESME_RSYSERR, ESME_RTHROTTLED
from smpp.dial import dial
from smpp.errors import TooFast, WindowFull
from smpp.fake_smsc import FakeSmsc, Treatment
from smpp.limits import Limits
from smpp.link import Link as Bind
from smpp.pdu import BindTransceiver, DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp, Tlv, find_tlv
from smpp.reactor import reactor_on
from smpp.states import State
from smpp.text import decode_text
from tests.menus_for_tests import Notes, catalog_in, versions_of
from tests.phone_for_tests import BALANCE, ScriptedBilling
from ussd_engine import over_smpp
from ussd_engine.binds import Binds
from ussd_engine.config import Link, read_settings
from ussd_engine.dial_string import Dialled
from ussd_engine.dialect import Kind, read_dialects
from ussd_engine.dialogues import Dialogues
from ussd_engine.exchange import Exchange, Fate, Pushed
from ussd_engine.greeting import Greetings
from ussd_engine.metrics import Metrics
from ussd_engine.outbox import Outbox, Part, Sms
from ussd_engine.over_smpp import Message
from ussd_engine.peer_config import Address, ClientLink, RouteConfig
from ussd_engine.queues import Queues
from ussd_engine.turn import Ports, Reply, Turns
from ussd_engine.work import Work

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = read_settings(ROOT / "config.yaml")
LINK: Link = SETTINGS.links["kcell-ussdc"]
OTHER = LINK._replace(name="partner")
CATALOG = catalog_in(ROOT / "menus")
NUMBER = "77010000007"
MASKER = Masker(b"k" * 32)
DIALECTS = read_dialects(ROOT / "dialects")
SPEC = LINK._replace(name="spec", dialect=DIALECTS["spec"][0])
MICA = LINK._replace(name="mica", dialect=DIALECTS["mica"][0])


class FakeBind:
    """A bind that keeps what it is given; `room` is its window."""

    def __init__(self, name: str, room: int = 100) -> None:
        self.name = name
        self.state = State.BOUND_TRX
        self.may_send = True
        self.room = room
        self.refusal: WindowFull | None = None
        self.sent: list[tuple[DeliverSm, Exchange]] = []

    def send(self, pdu: Pdu, context: object = None) -> None:
        if self.refusal is not None:
            raise self.refusal
        if self.room <= 0:
            raise WindowFull("full")
        self.room -= 1
        self.sent.append((cast(DeliverSm, pdu), cast(Exchange, context)))

    @property
    def screens(self) -> list[str]:
        return [decode_text(pdu.short_message, pdu.data_coding, "gsm").split("\n")[0] for pdu, _ in self.sent]


class Desk:
    """The engine's dialogues with fake binds, a real Redis and a scripted core."""

    def __init__(self, store: RedisStore, process: str = "", neighbours: Neighbours | None = None) -> None:
        """`process`: its name, where there are several."""
        script = {"balances.get": [BALANCE], "subscribers.set_language": [Done({"language": "en"})]}
        self.billing = ScriptedBilling(store, script)
        self.clock = 0.0
        self.process = process
        ids = iter(f"id-{process}{n}" for n in range(10_000))
        now = asyncio.get_running_loop().time
        metrics = Metrics()
        greetings = Greetings(self.billing, now, ids.__next__, 0.5, 60, 100)
        versions = versions_of(CATALOG)
        ports = Ports(
            versions, store, self.billing, greetings, Notes(), now, lambda: self.clock, ids.__next__, 180, process,
            neighbours=neighbours or Alone(),
        )  # fmt: skip
        self.binds = Binds()
        self.work = Work(metrics, 1000)
        self.queues = Queues()
        self.dialogues = Dialogues(Turns(ports), self.binds, self.queues, self.work, metrics)
        self.sequence = 0
        self.store = store

    def bind(self, name: str, link: Link = LINK, room: int = 100) -> FakeBind:
        bind = FakeBind(f"{link.name}.{self.process}.{name}" if self.process else name, room)
        self.binds.add(cast(Bind, bind), link)
        return bind

    async def says(
        self,
        bind: FakeBind,
        text: str,
        op: int,
        number: str = NUMBER,
        link: Link = LINK,
        *tlvs: Tlv,
        code: str = "*111#",
        again: int | None = None,
    ) -> None:
        """`again`: the sequence number under which it was said before."""
        self.heard(bind, text, op, number, link, *tlvs, code=code, again=again)
        await self.rest()

    def heard(
        self,
        bind: FakeBind,
        text: str,
        op: int,
        number: str = NUMBER,
        link: Link = LINK,
        *tlvs: Tlv,
        code: str = "*111#",
        again: int | None = None,
    ) -> None:
        self.sequence += again is None
        pdu = SubmitSm(
            source_addr_ton=1, source_addr=number, destination_addr=code, short_message=text.encode(),
            tlvs=(Tlv(0x0501, bytes((op,))), *tlvs), sequence_number=self.sequence if again is None else again,
        )  # fmt: skip
        message = over_smpp.read_message(pdu, link.dialect, "KZ", MASKER)
        self.dialogues.heard(cast(Bind, bind), link, message)

    async def rest(self) -> None:
        """Waits until what has been begun is done; not for what hangs."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                while self.work._tasks:
                    await asyncio.sleep(0.002)

    async def accepts(self, bind: FakeBind, count: int = 1) -> None:
        await self.hears(bind, DeliverSmResp(), count)

    async def hears(self, bind: FakeBind, word: Pdu | None, count: int = 1) -> None:
        for _, exchange in bind.sent[-count:]:
            bind.room += 1
            self.dialogues.answered(cast(Bind, bind), exchange, word)
        await self.rest()


@pytest.fixture
async def desk(redis_url: str) -> AsyncIterator[Desk]:
    store = RedisStore(redis_url)
    desk = Desk(store)
    yield desk
    await desk.work.drain(1)
    await store.close()


async def test_an_answer_before_our_screen_is_accepted_gets_the_same_screen(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.says(bind, "9", 18)
    assert bind.screens == ["Меню", "Меню"]
    await desk.accepts(bind)
    await desk.says(bind, "9", 18)
    assert bind.screens[-1] == "Язык"


async def test_an_answer_on_the_heels_of_an_abort_is_told_that_the_dialogue_is_over(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    desk.heard(bind, "", 129)
    desk.heard(bind, "9", 18)
    await desk.rest()
    assert bind.screens == ["Меню", "Сеанс аяқталды. Кодты қайта теріңіз."]
    assert await desk.store.load(NUMBER) is None


async def test_a_begin_on_the_heels_of_an_abort_begins(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    desk.heard(bind, "", 129)
    desk.heard(bind, "*111#", 1)
    await desk.rest()
    await desk.accepts(bind)
    await desk.says(bind, "9", 18)
    assert bind.screens == ["Меню", "Меню", "Язык"]


async def test_who_dials_twice_in_one_moment_sees_a_screen_whichever_greeting_comes_first(desk: Desk) -> None:
    bind, billing = desk.bind("a"), desk.billing
    perform, greeted, issued = billing.perform, asyncio.Event(), asyncio.Event()
    billing.script["cabinet.temporary_password"] = [Done({"valid_until": "2026-11-22T10:00:00Z"})]

    async def slow(call: Call, seconds_max: float) -> Outcome:
        is_first = call.operation == "subscribers.hello" and not billing.times(call.operation)
        outcome = await perform(call, seconds_max)
        if is_first:
            await greeted.wait()
        if call.operation == "cabinet.temporary_password":
            await issued.wait()
        return outcome

    billing.perform = slow  # type: ignore[method-assign]
    await desk.says(bind, "*245#", 1, code="*245#")
    await desk.says(bind, "*245#", 1, code="*245#")
    greeted.set()
    await asyncio.sleep(0.1)
    issued.set()
    await asyncio.sleep(0.1)
    assert len(bind.screens) == 1
    assert billing.times("cabinet.temporary_password") == 1


async def test_another_link_can_neither_read_nor_walk_nor_end_a_dialogue(desk: Desk) -> None:
    ours, theirs = desk.bind("a"), desk.bind("b", OTHER)
    await desk.says(ours, "*111#", 1)
    await desk.accepts(ours)
    await desk.says(theirs, "3", 18, link=OTHER)
    assert theirs.screens == ["Сеанс аяқталды. Кодты қайта теріңіз."]
    await desk.says(theirs, "", 129, link=OTHER)
    await desk.accepts(theirs)
    await desk.says(ours, "9", 18)
    assert ours.screens[-1] == "Язык"


async def test_a_screen_that_waits_for_room_is_sent_once_and_in_turn(desk: Desk) -> None:
    bind = desk.bind("a", room=1)
    for number in ("77010000007", "77010000014", "77010000021"):
        await desk.says(bind, "*111#", 1, number)
    await desk.says(bind, "9", 18, "77010000014")  # a repeat, while its screen waits
    assert len(bind.sent) == 1
    await desk.accepts(bind)
    await desk.accepts(bind)
    assert [exchange.msisdn for _, exchange in bind.sent] == ["77010000007", "77010000014", "77010000021"]


async def test_a_screen_whose_number_has_dialled_again_leaves_its_place_to_the_next(desk: Desk) -> None:
    bind = desk.bind("a", room=1)
    await desk.says(bind, "*111#", 1, "77010000007")
    await desk.says(bind, "*111#", 1, "77010000014")
    await desk.says(bind, "*111#", 1, "77010000021")
    await desk.says(bind, "", 129, "77010000014")
    await desk.accepts(bind)
    assert [exchange.msisdn for _, exchange in bind.sent] == ["77010000007", "77010000021"]


async def test_what_waits_on_a_bind_that_ends_goes_out_on_another_of_its_link(desk: Desk) -> None:
    full, other = desk.bind("a", room=0), desk.bind("b")
    await desk.says(full, "*111#", 1)
    assert not full.sent
    assert not other.sent
    desk.binds.drop(cast(Bind, full))
    desk.dialogues.gone(cast(Bind, full))
    assert other.screens == ["Меню"]


async def test_an_op_that_nobody_knows_is_an_answer_in_a_dialogue_and_a_begin_without_one(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 77)
    assert bind.screens == ["Меню"]
    await desk.accepts(bind)
    await desk.says(bind, "9", 77)
    assert bind.screens[-1] == "Язык"


async def test_an_sms_never_leaves_on_a_link_that_the_route_does_not_name(desk: Desk) -> None:
    ours, theirs = desk.bind("a"), desk.bind("b", OTHER)
    desk.binds.heard(NUMBER, cast(Bind, theirs))
    assert desk.binds.for_sms(NUMBER, [LINK.name]) is cast(Bind, ours)
    assert desk.binds.for_sms(NUMBER, ["nowhere"]) is None


# --- repeats --------------------------------------------------------------------------------------------------------


async def test_a_repeated_screen_leaves_on_the_bind_of_the_repeat(desk: Desk) -> None:
    one, two = desk.bind("a"), desk.bind("b")
    await desk.says(one, "*111#", 1)
    await desk.says(two, "*111#", 1)
    assert (one.screens, two.screens) == (["Меню"], ["Меню"])


async def test_a_begin_that_comes_again_on_another_bind_is_begun_once(desk: Desk) -> None:
    one, two = desk.bind("a"), desk.bind("b")
    desk.billing.script["balances.get"] = [BALANCE]
    await desk.says(one, "*111*3#", 1)
    await desk.says(two, "*111*3#", 1)
    assert desk.billing.times("balances.get") == 1
    assert one.screens == two.screens
    await desk.accepts(one)
    await desk.says(two, "*111*3#", 1)
    assert desk.billing.times("balances.get") == 2


async def test_another_code_dialled_before_our_screen_is_accepted_is_no_repeat(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.says(bind, "*111*9#", 1)
    assert bind.screens == ["Меню", "Язык"]


async def test_a_screen_of_which_one_copy_is_lost_waits_for_the_word_on_the_other(desk: Desk) -> None:
    one, two = desk.bind("a"), desk.bind("b")
    await desk.says(one, "*111#", 1)
    await desk.says(two, "*111#", 1)
    await desk.hears(one, None)  # the bind is gone
    await desk.says(two, "9", 18)
    assert two.screens == ["Меню", "Меню"]
    await desk.accepts(two)
    await desk.says(two, "9", 18)
    assert two.screens[-1] == "Язык"


async def test_a_screen_that_waits_on_a_full_bind_leaves_on_that_of_the_repeat_and_once(desk: Desk) -> None:
    full, other = desk.bind("a", room=0), desk.bind("b")
    await desk.says(full, "*111#", 1)
    await desk.says(other, "*111#", 1)
    assert (full.screens, other.screens) == ([], ["Меню"])
    full.room = 5
    desk.queues.room(cast(Bind, full))
    assert full.screens == []


async def test_a_repeat_of_what_the_dialogue_has_gone_past_gets_nothing_and_changes_nothing(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    await desk.says(bind, "9", 18)
    await desk.accepts(bind)
    await desk.says(bind, "0", 18)
    await desk.accepts(bind)
    for text, op, sequence in (("9", 18, 2), ("*111#", 1, 1)):
        await desk.says(bind, text, op, again=sequence)
    assert bind.screens == ["Меню", "Язык", "Меню"]
    await desk.says(bind, "9", 18)
    assert bind.screens[-1] == "Язык"


async def test_a_repeated_abort_ends_no_dialogue_that_was_begun_since(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    await desk.says(bind, "", 129)
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    await desk.says(bind, "", 129, again=2)
    await desk.says(bind, "9", 18)
    assert bind.screens == ["Меню", "Меню", "Язык"]


async def test_a_repeat_after_an_abort_begins_nothing_and_gets_nothing(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    await desk.says(bind, "", 129)
    await desk.says(bind, "*111#", 1, again=1)
    assert bind.screens == ["Меню"]
    assert await desk.store.load(NUMBER) is None


async def test_after_a_minute_the_same_octets_are_an_answer_of_their_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    await desk.says(bind, "7", 18)
    await desk.accepts(bind)
    session = await desk.store.load(NUMBER)
    desk.clock = 61.0
    later = desk.dialogues._now() + 61
    monkeypatch.setattr(desk.dialogues, "_now", lambda: later)
    await desk.says(bind, "7", 18, again=2)
    walked = await desk.store.load(NUMBER)
    assert session is not None
    assert walked is not None
    assert walked.turn == session.turn + 1


# --- repeats between processes --------------------------------------------------------------------------------------


class Told:
    """The neighbours of a desk: the other desks by their names; who is not there is gone."""

    def __init__(self) -> None:
        self.desks: dict[str, Desk] = {}

    async def standing(self, process: str, msisdn: str, link: str, age_seconds: float) -> Standing:
        desk = self.desks.get(process)
        return Standing.GONE if desk is None else desk.dialogues.standing(msisdn, link, age_seconds)


class Two:
    """Two engine processes, a bind each."""

    def __init__(self, store: RedisStore, link: Link = LINK) -> None:
        self.told = Told()
        self.desks = tuple(Desk(store, name, self.told) for name in ("one", "two"))
        self.told.desks = {desk.process: desk for desk in self.desks}
        self.binds = tuple(desk.bind("1", link) for desk in self.desks)
        self.link = link

    async def says(self, at: int, text: str, op: int, *tlvs: Tlv) -> None:
        await self.desks[at].says(self.binds[at], text, op, NUMBER, self.link, *tlvs)

    async def accepts(self, at: int) -> None:
        await self.desks[at].accepts(self.binds[at])

    @property
    def screens(self) -> tuple[list[str], list[str]]:
        one, two = self.binds
        return one.screens, two.screens

    def calls(self, operation: str) -> list[str]:
        return [call.id for desk in self.desks for call in desk.billing.asked if call.operation == operation]


@pytest.fixture
async def stores(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url)
    yield store
    await store.close()


def held(desk: Desk, operation: str) -> asyncio.Event:
    """The desk's calls of this operation wait for the event."""
    let_go, perform = asyncio.Event(), desk.billing.perform

    async def slow(call: Call, seconds_max: float) -> Outcome:
        if call.operation == operation:
            await let_go.wait()
        return await perform(call, seconds_max)

    desk.billing.perform = slow  # type: ignore[method-assign]
    return let_go


async def test_what_another_process_is_working_on_gets_nothing_and_is_called_once(stores: RedisStore) -> None:
    two = Two(stores)
    await two.says(0, "*111*9#", 1)
    await two.accepts(0)
    let_go = held(two.desks[0], "subscribers.set_language")
    await two.says(0, "3", 18)
    await two.says(1, "3", 18)
    assert two.screens == (["Язык"], [])
    let_go.set()
    await asyncio.sleep(0.05)
    assert two.screens == (["Язык", "Menu"], [])
    assert len(two.calls("subscribers.set_language")) == 1


async def test_until_another_process_has_the_peers_word_its_screen_is_said_again_and_nothing_is_walked(
    stores: RedisStore,
) -> None:
    two = Two(stores)
    await two.says(0, "*111#", 1)
    await two.accepts(0)
    await two.says(0, "9", 18)
    await two.says(1, "9", 18)
    assert two.screens == (["Меню", "Язык"], ["Язык"])
    await two.accepts(0)
    await two.accepts(1)
    await two.says(1, "0", 18)
    assert two.screens[1][-1] == "Меню"


async def test_a_last_screen_is_said_again_by_another_process_until_it_is_accepted(stores: RedisStore) -> None:
    two = Two(stores)
    await two.says(0, "*111#", 1)
    await two.accepts(0)
    await two.says(0, "3", 18)
    await two.says(1, "3", 18)
    assert two.screens[1] == ["Баланс: 1 тг"]
    await two.accepts(0)
    await two.accepts(1)
    await two.says(1, "3", 18)
    assert two.screens[1][-1] == "Сеанс завершён. Наберите код заново."
    assert len(two.calls("balances.get")) == 1


async def test_a_code_that_changes_something_and_comes_again_at_another_process_is_called_once(
    stores: RedisStore,
) -> None:
    two = Two(stores)
    for desk in two.desks:
        desk.billing.script["cabinet.temporary_password"] = [Done({"valid_until": "2026-11-22T10:00:00Z"})]
    let_go = held(two.desks[0], "cabinet.temporary_password")
    await two.says(0, "*245#", 1)
    await two.says(1, "*245#", 1)
    assert two.screens == ([], [])
    let_go.set()
    await asyncio.sleep(0.05)
    await two.says(1, "*245#", 1)
    assert [len(screens) for screens in two.screens] == [1, 1]
    assert two.screens[0] == two.screens[1]
    assert len(two.calls("cabinet.temporary_password")) == 1


async def test_dialled_again_after_the_screen_was_accepted_is_a_new_dialogue_at_whatever_process(
    stores: RedisStore,
) -> None:
    two = Two(stores)
    await two.says(0, "*111#", 1)
    await two.accepts(0)
    first = await stores.load(NUMBER)
    await two.says(1, "*111#", 1)
    second = await stores.load(NUMBER)
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert two.screens == (["Меню"], ["Меню"])


async def test_a_begin_is_not_lost_when_what_it_finds_ends_meanwhile(stores: RedisStore) -> None:
    two = Two(stores)
    await two.says(0, "*111#", 1)
    await two.accepts(0)
    ask = two.told.standing

    async def ended_meanwhile(process: str, msisdn: str, link: str, age_seconds: float) -> Standing:
        standing = await ask(process, msisdn, link, age_seconds)
        await two.desks[0].dialogues._turns.hang_up(msisdn, LINK)
        return standing

    two.told.standing = ended_meanwhile  # type: ignore[method-assign]
    await two.says(1, "*111#", 1)
    assert two.screens == (["Меню"], ["Меню"])


async def test_a_repeat_of_what_a_process_took_that_has_died_gets_the_same_screen_and_then_it_goes_on(
    stores: RedisStore,
) -> None:
    two = Two(stores)
    await two.says(0, "*111#", 1)
    await two.accepts(0)
    await two.says(0, "9", 18)
    del two.told.desks["one"]  # between keeping and sending, for all that anybody knows
    await two.says(1, "9", 18)
    assert two.screens[1] == ["Язык"]
    await two.accepts(1)
    await two.says(1, "9", 18)  # the subscriber's own: 9 is no language
    walked = await stores.load(NUMBER)
    assert walked is not None
    assert walked.turn == 2
    await two.accepts(1)
    await two.says(1, "0", 18)
    assert two.screens[1][-1] == "Меню"


async def test_an_answer_is_not_lost_to_a_repeat_that_this_process_is_still_looking_at(stores: RedisStore) -> None:
    two = Two(stores)
    one_goes, two_goes = (held(desk, "subscribers.hello") for desk in two.desks)
    await two.says(0, "*111#", 1)
    await two.says(1, "*111#", 1)
    one_goes.set()
    await two.desks[0].rest()
    await two.accepts(0)
    await two.says(1, "9", 18)
    assert two.screens == (["Меню"], [])
    two_goes.set()
    await two.desks[1].rest()
    await asyncio.sleep(0.05)
    assert two.screens == (["Меню"], ["Язык"])


async def test_another_answer_than_the_one_that_a_dead_process_took_is_walked(stores: RedisStore) -> None:
    two = Two(stores)
    await two.says(0, "*111#", 1)
    await two.accepts(0)
    await two.says(0, "9", 18)
    del two.told.desks["one"]
    await two.says(1, "0", 18)
    assert two.screens[1] == ["Меню"]


async def test_long_after_a_process_died_the_same_answer_is_the_subscribers_own(stores: RedisStore) -> None:
    two = Two(stores)
    await two.says(0, "*111#", 1)
    await two.accepts(0)
    await two.says(0, "9", 18)
    del two.told.desks["one"]
    two.desks[1].clock = 11.0  # longer than the network waits
    await two.says(1, "9", 18)
    walked = await stores.load(NUMBER)
    assert walked is not None
    assert walked.turn == 2


async def test_a_call_of_a_process_that_has_died_is_asked_about_when_its_begin_comes_again(stores: RedisStore) -> None:
    two = Two(stores)
    for desk in two.desks:
        desk.billing.script["cabinet.temporary_password"] = [Done({"valid_until": "2026-11-22T10:00:00Z"})]
    held(two.desks[0], "cabinet.temporary_password")
    await two.says(0, "*245#", 1)
    pending = await stores.load(NUMBER)
    del two.told.desks["one"]
    await two.says(1, "*245#", 1)
    assert pending is not None
    assert pending.pending is not None
    assert two.calls("cabinet.temporary_password") == [pending.pending.call_id]
    assert len(two.screens[1]) == 1


async def test_where_the_peer_counts_a_begin_that_came_while_another_process_worked_on_it_gets_nothing(
    stores: RedisStore,
) -> None:
    two = Two(stores, SPEC)
    one_goes, two_goes = (held(desk, "balances.get") for desk in two.desks)
    await two.says(0, "*111*3#", 1, word(5, 0))
    await two.says(1, "*111*3#", 1, word(5, 0))
    one_goes.set()
    await two.desks[0].rest()
    await two.accepts(0)
    two_goes.set()
    await two.desks[1].rest()
    assert two.screens == (["Баланс: 1 тг"], [])


async def test_where_the_peer_counts_what_was_taken_elsewhere_and_gone_past_gets_nothing(stores: RedisStore) -> None:
    two = Two(stores, SPEC)
    await two.says(0, "*111#", 1, word(5, 0))
    await two.accepts(0)
    await two.says(0, "9", 18, word(5, 2))
    await two.accepts(0)
    await two.says(0, "0", 18, word(5, 4))
    await two.accepts(0)
    await two.says(1, "9", 18, word(5, 2))
    await two.says(1, "*111#", 1, word(5, 0))
    assert two.screens == (["Меню", "Язык", "Меню"], [])
    await two.says(1, "9", 18, word(5, 6))
    assert two.screens[1] == ["Язык"]


async def test_a_number_of_another_link_is_nothing_to_a_process_that_asks(desk: Desk) -> None:
    bind = desk.bind("a")
    assert desk.dialogues.standing(NUMBER, LINK.name, 0.0) is Standing.SETTLED
    await desk.says(bind, "*111#", 1)
    assert desk.dialogues.standing(NUMBER, LINK.name, 0.0) is Standing.UNSEEN
    assert desk.dialogues.standing(NUMBER, OTHER.name, 0.0) is Standing.SETTLED
    await desk.accepts(bind)
    assert desk.dialogues.standing(NUMBER, LINK.name, 0.0) is Standing.SETTLED
    assert desk.dialogues.standing(NUMBER, LINK.name, 5.0) is Standing.WORKING  # it came before that


# --- session numbers ------------------------------------------------------------------------------------------------


def word(*octets: int) -> Tlv:
    return Tlv(0x1383, bytes(octets))


def reference(number: int) -> Tlv:
    return Tlv(0x0204, bytes((0, number)))


async def test_where_the_peer_counts_a_repeat_on_another_bind_gets_the_same_screen_and_is_walked_once(
    desk: Desk,
) -> None:
    one, two = desk.bind("a", SPEC), desk.bind("b", SPEC)
    await desk.says(one, "*111#", 1, NUMBER, SPEC, word(5, 0))
    await desk.accepts(one)
    await desk.says(one, "9", 18, NUMBER, SPEC, word(5, 2))
    await desk.accepts(one)
    await desk.says(two, "9", 18, NUMBER, SPEC, word(5, 2))
    assert [*one.screens, *two.screens] == ["Меню", "Язык", "Язык"]
    assert [find_tlv(pdu, 0x1383) for pdu, _ in (*one.sent, *two.sent)] == [b"\5\2", b"\5\4", b"\5\4"]
    await desk.accepts(two)
    await desk.says(two, "0", 18, NUMBER, SPEC, word(5, 4))
    assert two.screens[-1] == "Меню"


async def test_a_session_number_that_comes_again_begins_another_dialogue(desk: Desk) -> None:
    bind = desk.bind("a", SPEC)
    await desk.says(bind, "*111#", 1, NUMBER, SPEC, word(5, 0))
    await desk.accepts(bind)
    await desk.says(bind, "9", 18, NUMBER, SPEC, word(5, 2))
    await desk.accepts(bind)
    await desk.says(bind, "*111*9#", 1, NUMBER, SPEC, word(5, 0), code="*111*9#")
    await desk.accepts(bind)
    await desk.says(bind, "0", 18, NUMBER, SPEC, word(5, 2))
    assert bind.screens == ["Меню", "Язык", "Язык", "Меню"]


async def test_an_answer_of_an_old_session_is_told_to_dial_again_and_touches_nothing(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    await desk.says(bind, "*111#", 1, NUMBER, MICA, reference(1))
    await desk.says(bind, "9", 18, NUMBER, MICA, reference(2))  # while our first screen is on its way
    await desk.accepts(bind, 2)
    await desk.says(bind, "9", 18, NUMBER, MICA, reference(2))
    await desk.accepts(bind)
    assert bind.screens == ["Меню", "Сеанс аяқталды. Кодты қайта теріңіз.", "Сеанс завершён. Наберите код заново."]
    assert [find_tlv(pdu, 0x0204) for pdu, _ in bind.sent] == [b"\0\1", b"\0\2", b"\0\2"]
    await desk.says(bind, "9", 18, NUMBER, MICA, reference(1))
    assert bind.screens[-1] == "Язык"


async def test_an_abort_of_an_old_session_ends_no_new_one(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    await desk.says(bind, "*111#", 1, NUMBER, MICA, reference(2))
    await desk.says(bind, "", 129, NUMBER, MICA, reference(1))
    await desk.accepts(bind)
    await desk.says(bind, "", 129, NUMBER, MICA, reference(1))
    await desk.says(bind, "9", 18, NUMBER, MICA, reference(2))
    assert bind.screens == ["Меню", "Язык"]
    await desk.accepts(bind)
    await desk.says(bind, "", 129, NUMBER, MICA, reference(2))
    assert await desk.store.load(NUMBER) is None


async def test_an_answer_that_leaves_its_session_out_is_answered_under_the_one_it_began_with(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    await desk.says(bind, "*111#", 1, NUMBER, MICA, reference(7))
    await desk.accepts(bind)
    await desk.says(bind, "9", 18, NUMBER, MICA)
    assert bind.screens[-1] == "Язык"
    assert find_tlv(bind.sent[-1][0], 0x0204) == b"\0\7"


async def test_without_an_address_our_screens_come_from_the_code_that_was_dialled(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    await desk.says(bind, "*111*9#", 1, NUMBER, MICA, reference(7), code="")
    await desk.accepts(bind)
    await desk.says(bind, "0", 18, NUMBER, MICA, reference(7), code="")
    assert bind.screens == ["Язык", "Меню"]
    assert [pdu.source_addr for pdu, _ in bind.sent] == ["*111#", "*111#"]


# --- pushes ---------------------------------------------------------------------------------------------------------


def push(desk: Desk, bind: FakeBind, first: Dialled | Reply, link: Link = MICA) -> asyncio.Future[Pushed]:
    message = Message(Kind.BEGIN, NUMBER, "*111#", "", None, "push/1", counted=True)
    return desk.dialogues.push(cast(Bind, bind), link, message, first)


async def respond(desk: Desk, bind: FakeBind, *tlvs: Tlv, status: int = 0) -> None:
    desk.dialogues.answered(cast(Bind, bind), bind.sent[-1][1], SubmitSmResp("1", tlvs, 1, status))
    await desk.rest()


async def test_the_first_screen_of_a_push_is_never_sent_twice(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    pushed = push(desk, bind, Dialled(("111", "9")))
    await desk.rest()
    assert desk.dialogues.is_busy(NUMBER)
    await desk.says(bind, "0", 18, NUMBER, MICA, reference(3))  # before its response: it has been seen
    assert bind.screens == ["Язык", "Меню"]
    assert pushed.result() == Pushed(Fate.ACCEPTED)
    session = await desk.store.load(NUMBER)
    assert session is not None
    assert session.reference == "0003"


async def test_the_session_that_a_response_names_is_the_dialogues(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    pushed = push(desk, bind, Dialled(("111", "9")))
    await desk.rest()
    await respond(desk, bind, reference(4))
    assert pushed.result() == Pushed(Fate.ACCEPTED)
    session = await desk.store.load(NUMBER)
    assert session is not None
    assert (session.reference, session.version) == ("0004", 1)
    assert not desk.dialogues.is_busy(NUMBER)


async def test_a_begin_of_the_subscriber_takes_the_number_over_from_a_push(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    pushed = push(desk, bind, Reply("Hello", True))
    await desk.says(bind, "*111#", 1, NUMBER, MICA, reference(5))
    assert pushed.result() == Pushed(Fate.OVERTAKEN)
    assert bind.screens == ["Hello", "Меню"]


async def test_a_confirmation_of_a_notification_ends_no_dialogue(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    push(desk, bind, Reply("Hello", True))
    await respond(desk, bind, reference(4))
    await desk.says(bind, "*111#", 1, NUMBER, MICA, reference(5))
    await desk.accepts(bind)
    await desk.says(bind, "", 19, NUMBER, MICA, reference(4))
    await desk.says(bind, "9", 18, NUMBER, MICA, reference(5))
    assert bind.screens == ["Hello", "Меню", "Язык"]


async def test_a_push_that_nobody_carries_leaves_no_dialogue_behind(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    bind.state = State.CLOSED
    pushed = push(desk, bind, Dialled(("111", "9")))
    await desk.rest()
    assert pushed.result() == Pushed(Fate.NO_LINK)
    assert await desk.store.load(NUMBER) is None


async def test_a_response_that_never_came_is_told_as_such(desk: Desk) -> None:
    bind = desk.bind("a", MICA)
    pushed = push(desk, bind, Reply("Hello", True))
    await desk.hears(bind, None)
    assert pushed.result() == Pushed(Fate.SILENT)


async def test_a_screen_that_waits_behind_sms_leaves_when_one_of_them_is_answered(desk: Desk) -> None:
    bind = desk.bind("a", room=0)  # full of SMS
    await desk.says(bind, "*111#", 1)
    assert bind.screens == []
    bind.room = 1
    desk.queues.room(cast(Bind, bind))
    assert bind.screens == ["Меню"]


async def test_a_screen_that_is_too_fast_for_the_link_leaves_by_itself_when_its_rate_has_room(desk: Desk) -> None:
    bind = desk.bind("a")
    bind.refusal = TooFast(0.05)
    await desk.says(bind, "*111#", 1)
    assert bind.screens == []
    bind.refusal = None
    await asyncio.sleep(0.1)
    assert bind.screens == ["Меню"]


async def test_screens_that_wait_for_the_rate_leave_in_the_order_they_came(desk: Desk) -> None:
    bind = desk.bind("a")
    bind.refusal = TooFast(0.05)
    numbers = [f"7701000{n:04}" for n in range(801, 804)]
    for number in numbers:
        await desk.says(bind, "*111#", 1, number)
    await asyncio.sleep(0.1)  # tried, and refused again
    bind.refusal = None
    await asyncio.sleep(0.3)
    assert [pdu.destination_addr for pdu, _ in bind.sent] == numbers


@pytest.mark.parametrize("status", [None, ESME_RTHROTTLED, ESME_RMSGQFUL, ESME_RSYSERR])
async def test_a_screen_that_was_not_accepted_is_never_sent_again_by_us(desk: Desk, status: int | None) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    (_, exchange), answer = bind.sent[0], None if status is None else DeliverSmResp(command_status=status)
    desk.dialogues.answered(cast(Bind, bind), exchange, answer)
    sweeping = asyncio.ensure_future(desk.dialogues.sweep())
    await asyncio.sleep(0.6)
    sweeping.cancel()
    assert bind.screens == ["Меню"]


async def test_a_push_that_is_refused_leaves_the_dialogue_alone_that_the_subscriber_has_begun(desk: Desk) -> None:
    bind = desk.bind("a")
    message = over_smpp.Message(over_smpp.Kind.BEGIN, NUMBER, "*111#", "", None, "push/1", counted=True)
    pushed = desk.dialogues.push(cast(Bind, bind), LINK, message, over_smpp.joined("*111#", ""))  # type: ignore[arg-type]
    await desk.rest()
    ((_, push),) = bind.sent
    await desk.says(bind, "*111#", 1)
    desk.dialogues.answered(cast(Bind, bind), push, DeliverSmResp(command_status=ESME_RSYSERR))
    assert (await pushed).fate is Fate.OVERTAKEN
    await desk.accepts(bind)
    await desk.says(bind, "9", 18)
    assert bind.screens[-1] == "Язык"


async def test_a_dial_again_that_waits_for_room_is_said_when_there_is_some(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    exchange = Exchange(cast(Bind, bind), LINK, over_smpp.read_message(SubmitSm(), LINK.dialect, "KZ", MASKER), 0.0)
    exchange.started, bind.room = asyncio.get_running_loop().time(), 0
    desk.dialogues._turn_away(exchange)
    bind.room = 1
    desk.queues.room(cast(Bind, bind))
    assert len(bind.sent) == 2


async def test_a_message_that_comes_again_after_others_is_no_answer_to_anything(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    await desk.says(bind, "9", 18)
    await desk.accepts(bind)
    for text, op in (("*111#", 1), ("9", 18)):  # the begin, and the answer once more
        desk.sequence = 0 if op == 1 else 1
        await desk.says(bind, text, op)
        await desk.accepts(bind)
    assert bind.screens == ["Меню", "Язык", "Язык"]


async def test_an_apology_is_the_end_also_when_its_message_comes_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    monkeypatch.setattr(desk.store, "save", _away)
    await desk.says(bind, "9", 18)
    await desk.accepts(bind)
    monkeypatch.undo()
    desk.sequence -= 1
    await desk.says(bind, "9", 18)
    await desk.says(bind, "9", 18)
    apology = "Сервис временно недоступен. Повторите чуть позже."
    assert bind.screens == ["Меню", apology, apology, "Сеанс завершён. Наберите код заново."]
    await desk.accepts(bind)
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    await desk.says(bind, "9", 18)
    assert bind.screens[-2:] == ["Меню", "Язык"]


async def _away(*_arguments: object) -> bool:
    raise StoreAway("no answer in time")


async def test_a_turn_whose_dialogue_is_lost_meanwhile_is_not_silent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.accepts(bind)
    saves = desk.store.save

    async def emptied(*arguments: Any) -> bool:
        await desk.store.forget(NUMBER, arguments[0].id)
        return await saves(*arguments)

    monkeypatch.setattr(desk.store, "save", emptied)
    await desk.says(bind, "9", 18)
    assert bind.screens == ["Меню", "Сеанс завершён. Наберите код заново."]


async def test_what_comes_again_does_not_stand_in_the_way_of_what_is_new(desk: Desk) -> None:
    bind = desk.bind("a")
    await desk.says(bind, "*111#", 1)
    await desk.says(bind, "3", 18)  # a duplicate: its screen is not accepted yet
    await desk.accepts(bind, 2)
    desk.heard(bind, "3", 18, again=2)
    desk.heard(bind, "9", 18)
    await desk.rest()
    assert bind.screens == ["Меню", "Меню", "Язык"]


# --- beside SMS -----------------------------------------------------------------------------------------------------


class Esme:
    """A real link to a scripted centre, whose answers go where `Reception` leads them."""

    def __init__(self, desk: Desk) -> None:
        config = ClientLink(
            network="kcell", dialect="standard", trust="operator", system_id="engine", role="client",
            address=Address("127.0.0.1", 1), password_file="",
        )  # fmt: skip
        self.link = Link("smsc", config, LINK.network, LINK.dialect)
        self.desk = desk
        now = asyncio.get_running_loop().time
        routes = {"kcell": RouteConfig(("smsc",), "111")}
        self.outbox = Outbox(
            desk.binds, desk.queues, routes, Metrics(), now, lambda: 0.0, lambda: 0.0, lambda _record: None
        )

    def request(self, bind: Bind, pdu: Pdu) -> None:
        bind.respond(pdu, 0)

    def response(self, bind: Bind, _request: Pdu, response: Pdu | None, context: object) -> None:
        if isinstance(context, Part):
            self.outbox.answered(bind, context, response)
        else:
            self.desk.dialogues.answered(bind, cast(Exchange, context), response)

    def quirk(self, _bind: Bind, kind: str) -> None:
        raise AssertionError(kind)

    def bound(self, bind: Bind) -> None:
        self.desk.binds.add(bind, self.link)

    def gone(self, bind: Bind, _reason: str) -> None:
        self.desk.binds.drop(bind)
        self.desk.dialogues.gone(bind)


async def test_a_link_that_is_always_full_of_screens_carries_sms_too(desk: Desk) -> None:
    esme, sent, seconds = Esme(desk), Counter[str](), []
    loop = asyncio.get_running_loop()
    until = loop.time() + 1.5
    async with FakeSmsc(reactor_on(loop)) as smsc:
        smsc.treatment = Treatment(delay_seconds=0.004)
        request = BindTransceiver("engine", "secret", interface_version=0x34)
        bind = await dial(reactor_on(loop), "127.0.0.1", smsc.port, request, esme, Limits(window_out=4))

        async def screens(number: str) -> None:
            while (began := loop.time()) < until:
                sent["tried"] += 1
                message = Message(Kind.BEGIN, number, "*111#", "", None, f"push/{sent['tried']}", counted=True)
                await desk.dialogues.push(bind, esme.link, message, Reply("Hello", True))
                seconds.append(loop.time() - began)
                sent["screens"] += 1

        async def messages(number: str) -> None:
            while loop.time() < until:
                await esme.outbox.send(Sms(number, "kcell", "balance", "Hello"))
                sent["sms"] += 1

        await asyncio.gather(
            *(screens(f"7701000{n:04}") for n in range(24)), *(messages(f"7701001{n:04}") for n in range(4))
        )
        bind.close("the test is over")
        await asyncio.sleep(0.05)
    assert sent["sms"] >= sent["screens"] / 12
    assert sent["sms"] <= sent["screens"] / 8  # and screens have nine of ten places
    assert max(seconds) < 1.0
