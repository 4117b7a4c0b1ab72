"""Letting somebody else manage a number: A asks, B agrees with a code, A begins with another one, either ends it.

Each story has numbers of its own: A asks, B holds the number that is asked for.
"""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Callable, Iterator

import asyncpg
import pytest

from billing.calls import Done, NotMade, Refused

from .running_core import Core
from .stories import DAY, HOUR, MINUTE, NOON, SECOND, instant, kcell, other_digits, result, with_balance

NOT_MANAGED = Refused("NOT_MANAGED", {})
NO_SUCH_REQUEST = Refused("NO_SUCH_REQUEST", {})


@pytest.fixture(autouse=True)
def _noon(core: Core) -> Iterator[None]:
    """Every story begins at noon."""
    core.now = NOON
    yield
    core.now = None


async def ask(core: Core, a: str, b: str) -> str:
    """A asks to manage B; returns the code that B was sent."""
    result(await core.do("delegation.request", a, number=b))
    return await core.sent(b, "delegation.asked", "code")


async def confirm(core: Core, b: str, code: str, call_id: str = "") -> Done | Refused:
    return await core.do("delegation.confirm", b, call_id=call_id or None, code=code)


async def agreed(core: Core, a: str, b: str) -> str:
    """A asks, and B agrees; returns the activation code that B was sent."""
    assert await confirm(core, b, await ask(core, a, b)) == Done({})
    return await core.sent(b, "delegation.activation", "code")


async def activate(core: Core, a: str, b: str, code: str, call_id: str = "") -> Done | Refused:
    return await core.do("delegation.activate", a, call_id=call_id or None, number=b, code=code)


async def managed(core: Core, a: str, b: str) -> None:
    """From now on A manages B."""
    assert await activate(core, a, b, await agreed(core, a, b)) == Done({"number": b})


async def listed(core: Core, number: str, operation: str, what: str) -> list[str]:
    return [each["number"] for each in result(await core.do(f"delegation.{operation}", number))[what]]


async def acts_for(core: Core, a: str, b: str) -> bool:
    """Whether A gets at something of B's."""
    outcome = await core.do("tariffs.current", b, by=a)
    assert isinstance(outcome, Done) or outcome == NOT_MANAGED
    return isinstance(outcome, Done)


async def events(core: Core, number: str) -> list[str]:
    return [notice["event"].removeprefix("delegation.") for notice in await core.notices(number)]


def another(code: str, nth: int = 1) -> str:
    return f"{(int(code) + nth) % 10**8:08}"


def wrong(left: int) -> Refused:
    return Refused("WRONG_CODE", {"tries_left": left})


def full_width(code: str) -> str:
    return "".join(chr(ord(digit) + 0xFEE0) for digit in code)


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_who_is_asked_for_gets_an_sms_with_a_code_and_who_asks_gets_none(core: Core) -> None:
    a, b = kcell(200), kcell(201)
    told = result(await core.do("delegation.request", a, number=b))
    assert told == {"valid_until": "2027-04-01T07:00:00Z"}
    [notice] = await core.notices(b)
    code = notice["arguments"]["code"]
    assert notice["event"] == "delegation.asked"
    assert notice["arguments"] == {"caller": a, "code": code, "valid_until": "2027-04-01T07:00:00Z"}
    assert len(code) == 8
    assert notice["not_after"] == NOON + DAY
    assert await core.notices(a) == []
    assert not await acts_for(core, a, b)


async def test_from_the_first_request_to_managing_in_full(core: Core) -> None:
    a, b = kcell(202), kcell(203)
    first = await ask(core, a, b)
    core.now = NOON + HOUR
    assert await confirm(core, b, first) == Done({})
    second = await core.sent(b, "delegation.activation", "code")
    until = {"valid_until": instant(NOON + HOUR + DAY)}
    assert (await core.notices(b))[-1]["arguments"] == {"caller": a, "code": second, **until}
    waiting = {"id": b, "number": b, "since": instant(NOON + HOUR)}
    assert result(await core.do("delegation.managed", a)) == {"managed": [], "agreed": [waiting]}
    assert not await acts_for(core, a, b)
    core.now = NOON + 2 * HOUR
    assert await activate(core, a, b, second) == Done({"number": b})
    assert await events(core, b) == ["asked", "activation", "begun"]
    assert (await core.notices(b))[-1]["arguments"] == {"caller": a}
    now = {**waiting, "since": instant(NOON + 2 * HOUR)}
    assert result(await core.do("delegation.managed", a)) == {"managed": [now], "agreed": []}
    assert result(await core.do("delegation.managers", b)) == {"managers": [{**now, "id": a, "number": a}]}
    assert result(await core.do("subscribers.hello", a))["manages"] == 1
    assert await acts_for(core, a, b)
    assert not await acts_for(core, b, a)


async def test_both_kazakh_networks_have_it(core: Core) -> None:
    a, b = "77770000202", "77770000203"
    await managed(core, a, b)
    assert await acts_for(core, a, b)


@pytest.mark.parametrize(
    ("b", "code"),
    [
        (kcell(204), "ITS_OWN"),
        ("77770000204", "NOT_REACHED"),  # of another operator
        (kcell(295), "NOT_REACHED"),  # blocked
        (kcell(297), "NOT_REACHED"),  # closed
        ("77019999999", "NOT_REACHED"),
    ],
)
async def test_only_another_number_of_this_operator_that_is_in_use_can_be_asked_for(
    core: Core, b: str, code: str
) -> None:
    assert await core.do("delegation.request", kcell(204), number=b) == Refused(code, {})


@pytest.mark.parametrize(
    ("who", "code"),
    [(kcell(291), "BARRED"), (kcell(295), "BLOCKED"), (kcell(297), "CLOSED"), ("77019999999", "UNKNOWN_NUMBER")],
)
async def test_a_number_that_is_not_active_neither_asks_nor_agrees_nor_begins(core: Core, who: str, code: str) -> None:
    for operation, arguments in (
        ("request", {"number": kcell(205)}),
        ("answer", {"request": "none", "agree": True}),
        ("confirm", {"code": "12345678"}),
        ("activate", {"number": kcell(205), "code": "12345678"}),
        ("managed", {}),
    ):
        assert await core.do(f"delegation.{operation}", who, **arguments) == Refused(code, {})


async def test_the_same_is_not_asked_for_twice_while_it_holds(core: Core) -> None:
    a, b = kcell(206), kcell(207)
    first = await ask(core, a, b)
    core.now = NOON + 2 * MINUTE
    again = {"number": b}
    assert await core.do("delegation.request", a, **again) == Refused("IS_SO", {})
    await confirm(core, b, first)
    assert await core.do("delegation.request", a, **again) == Refused("IS_SO", {})
    await activate(core, a, b, await core.sent(b, "delegation.activation", "code"))
    core.now = NOON + 3 * DAY
    assert await core.do("delegation.request", a, **again) == Refused("IS_SO", {})
    assert await events(core, b) == ["asked", "activation", "begun"]


async def test_two_can_ask_each_other_at_once(core: Core) -> None:
    a, b = kcell(208), kcell(209)
    both = await asyncio.gather(*(core.do("delegation.request", x, number=y) for x, y in ((a, b), (b, a))))
    assert all(isinstance(outcome, Done) for outcome in both)
    first, second = await core.sent(b, "delegation.asked", "code"), await core.sent(a, "delegation.asked", "code")
    assert await confirm(core, b, first) == await confirm(core, a, second) == Done({})


# --- how often ------------------------------------------------------------------------------------------------------


async def test_one_code_a_minute_three_an_hour_to_one_number_whoever_asks(core: Core) -> None:
    b, asked = kcell(210), {"number": kcell(210)}
    await ask(core, kcell(211), b)
    core.now = NOON + 59 * SECOND
    too_many = Refused("TOO_MANY", {"again_at": instant(NOON + MINUTE)})
    assert await core.do("delegation.request", kcell(212), **asked) == too_many
    core.now = NOON + MINUTE
    await ask(core, kcell(212), b)
    core.now = NOON + 2 * MINUTE
    await ask(core, kcell(213), b)
    core.now = NOON + 4 * MINUTE
    too_many = Refused("TOO_MANY", {"again_at": instant(NOON + HOUR)})
    assert await core.do("delegation.request", kcell(214), **asked) == too_many
    core.now = NOON + HOUR
    await ask(core, kcell(214), b)
    assert await events(core, b) == ["asked"] * 4


async def test_five_codes_a_day_to_one_number_until_midnight_there(core: Core) -> None:
    b = kcell(215)
    for n in range(5):
        core.now = NOON + n * HOUR
        await ask(core, kcell(216 + n), b)
    core.now = NOON + 11 * HOUR
    midnight = NOON + 12 * HOUR
    too_many = Refused("TOO_MANY", {"again_at": instant(midnight)})
    assert await core.do("delegation.request", kcell(221), number=b) == too_many
    core.now = midnight
    await ask(core, kcell(221), b)


async def test_of_ten_who_ask_at_once_one_has_a_code_sent(core: Core) -> None:
    b = kcell(222)
    outcomes = await asyncio.gather(*(core.do("delegation.request", kcell(223 + n), number=b) for n in range(10)))
    assert [type(outcome) for outcome in outcomes].count(Done) == 1
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Refused)} == {"TOO_MANY"}
    assert await events(core, b) == ["asked"]


async def test_nine_numbers_are_managed_or_asked_for_at_most(core: Core) -> None:
    a = kcell(233)
    for n in range(8):
        await ask(core, a, kcell(234 + n))
    await managed(core, a, kcell(242))
    assert await core.do("delegation.request", a, number=kcell(243)) == Refused("TOO_MANY", {})
    core.now = NOON + DAY  # the eight were not answered
    await ask(core, a, kcell(243))


async def test_nine_manage_one_number_at_most(core: Core) -> None:
    b = kcell(244)
    for n in range(9):
        core.now = NOON + n // 3 * DAY + n % 3 * MINUTE
        await managed(core, kcell(245 + n), b)
    core.now = NOON + 4 * DAY
    assert await core.do("delegation.request", kcell(254), number=b) == Refused("TOO_MANY", {})
    assert len(await listed(core, b, "managers", "managers")) == 9


# --- agreeing by SMS ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "typed"),
    [
        (0, lambda code: f"{code[:4]} {code[4:]}"),
        (2, " ".join),
        (4, lambda code: f" {code[:2]}-{code[2:4]}–{code[4:]} "),
        (6, full_width),
        (8, lambda code: f"{full_width(code[:4])}\u3000{code[4:6]}\u00a0{code[6:]}"),
    ],
)
async def test_spaces_dashes_and_full_width_digits_are_forgiven(
    core: Core, n: int, typed: Callable[[str], str]
) -> None:
    a, b = kcell(300 + n), kcell(301 + n)
    assert await confirm(core, b, typed(await ask(core, a, b))) == Done({})
    activation = await core.sent(b, "delegation.activation", "code")
    assert await activate(core, a, b, typed(activation)) == Done({"number": b})


async def test_three_wrong_codes_in_a_row_pause_their_sender_for_an_hour(core: Core) -> None:
    a, b = kcell(310), kcell(311)
    code = await ask(core, a, b)
    paused = Refused("PAUSED", {"again_at": instant(NOON + HOUR)})
    outcomes = [await confirm(core, b, another(code, n)) for n in (1, 2, 3)]
    assert outcomes == [wrong(2), wrong(1), paused]
    core.now = NOON + HOUR - SECOND
    assert await confirm(core, b, code) == paused
    core.now = NOON + HOUR
    assert await confirm(core, b, another(code)) == wrong(2)
    assert await confirm(core, b, code) == Done({})


async def test_when_again_is_told_no_moment_too_early(core: Core) -> None:
    a, b = kcell(312), kcell(313)
    code = await ask(core, a, b)
    core.now = NOON + datetime.timedelta(milliseconds=400)
    for n in (1, 2, 3):
        told = await confirm(core, b, another(code, n))
    paused = Refused("PAUSED", {"again_at": instant(NOON + HOUR + SECOND)})
    assert told == await confirm(core, b, code) == paused
    core.now = NOON + HOUR + SECOND
    assert await confirm(core, b, code) == Done({})


async def test_of_fifty_wrong_codes_sent_at_once_three_are_looked_at(core: Core) -> None:
    a, b = kcell(440), kcell(441)
    code = await ask(core, a, b)
    outcomes = await asyncio.gather(*(confirm(core, b, another(code, n)) for n in range(1, 51)))
    paused = Refused("PAUSED", {"again_at": instant(NOON + HOUR)})
    assert sorted(outcomes, key=repr) == sorted([wrong(2), wrong(1), *[paused] * 48], key=repr)


async def test_a_right_code_begins_the_row_anew(core: Core) -> None:
    b = kcell(314)
    for n in (315, 316):
        code = await ask(core, kcell(n), b)
        assert [await confirm(core, b, another(code, n)) for n in (1, 2)] == [wrong(2), wrong(1)]
        assert await confirm(core, b, code) == Done({})
        core.now = NOON + MINUTE
    assert await confirm(core, b, "00000000") == wrong(2)


async def test_from_anybody_else_a_code_does_nothing_and_tells_nothing(core: Core) -> None:
    a, b, stranger = kcell(317), kcell(318), kcell(319)
    code = await ask(core, a, b)
    for who in (stranger, a):
        right, other = await confirm(core, who, code), await confirm(core, who, another(code))
        assert (right, other) == (wrong(2), wrong(1))
        assert await core.notices(who) == []
    assert await events(core, b) == ["asked"]
    assert await listed(core, b, "requests", "requests") == [a]
    assert await confirm(core, stranger, code) == Refused("PAUSED", {"again_at": instant(NOON + HOUR)})
    assert await confirm(core, b, code) == Done({})


async def test_the_same_sms_delivered_again_costs_no_try(core: Core) -> None:
    a, b, call_id = kcell(320), kcell(321), str(uuid.uuid4())
    code = await ask(core, a, b)
    outcomes = await asyncio.gather(*(confirm(core, b, another(code), call_id) for _ in range(5)))
    assert outcomes == [wrong(2)] * 5
    assert await confirm(core, b, another(code, 2)) == wrong(1)
    call_id = str(uuid.uuid4())
    for _ in range(2):
        assert await confirm(core, b, code, call_id) == Done({})
    assert await events(core, b) == ["asked", "activation"]


async def test_each_request_has_a_code_of_its_own(core: Core) -> None:
    b, askers = kcell(322), [kcell(323), kcell(324), kcell(325)]
    codes = []
    for a in askers:
        codes.append(await ask(core, a, b))
        core.now = (core.now or NOON) + MINUTE
    assert len(set(codes)) == 3
    assert await confirm(core, b, codes[1]) == Done({})
    assert (await core.notices(b))[-1]["arguments"]["caller"] == askers[1]
    assert await listed(core, b, "requests", "requests") == [askers[2], askers[0]]
    activation = await core.sent(b, "delegation.activation", "code")
    assert await activate(core, askers[0], b, activation) == NO_SUCH_REQUEST
    assert await activate(core, askers[1], b, activation) == Done({"number": b})
    assert await confirm(core, b, codes[1]) == wrong(2)  # it was used
    assert await confirm(core, b, codes[0]) == Done({})


@pytest.mark.parametrize(("after", "holds"), [(DAY - SECOND, True), (DAY, False)])
async def test_a_confirmation_code_lives_a_day(core: Core, after: datetime.timedelta, holds: bool) -> None:
    a, b = kcell(326 + 2 * holds), kcell(327 + 2 * holds)
    code = await ask(core, a, b)
    core.now = NOON + after
    assert await listed(core, b, "requests", "requests") == ([a] if holds else [])
    assert await confirm(core, b, code) == (Done({}) if holds else wrong(2))


@pytest.mark.parametrize(("after", "holds"), [(DAY - SECOND, True), (DAY, False)])
async def test_an_activation_code_lives_a_day_from_when_it_was_agreed(
    core: Core, after: datetime.timedelta, holds: bool
) -> None:
    a, b = kcell(330 + 2 * holds), kcell(331 + 2 * holds)
    first = await ask(core, a, b)
    core.now = NOON + 20 * HOUR
    await confirm(core, b, first)
    core.now += after
    assert await listed(core, a, "managed", "agreed") == ([b] if holds else [])
    outcome = await activate(core, a, b, await core.sent(b, "delegation.activation", "code"))
    assert outcome == (Done({"number": b}) if holds else NO_SUCH_REQUEST)


@pytest.mark.parametrize("sweeps", [True, False])
async def test_what_ran_out_can_be_asked_for_anew_whether_or_not_it_was_swept(core: Core, sweeps: bool) -> None:
    a, b = kcell(334 + 2 * sweeps), kcell(335 + 2 * sweeps)
    old = await ask(core, a, b)
    core.now = NOON + DAY
    if sweeps:
        await core.sweeper.sweep()
    new = await ask(core, a, b)
    assert await confirm(core, b, old) == wrong(2)
    assert await confirm(core, b, new) == Done({})


# --- agreeing in the cabinet ----------------------------------------------------------------------------------------


async def test_requests_are_found_in_the_cabinet_the_newest_first(core: Core) -> None:
    b = kcell(340)
    await ask(core, kcell(341), b)
    core.now = NOON + MINUTE
    await ask(core, kcell(342), b)
    found = result(await core.do("delegation.requests", b))["requests"]
    assert [(each["number"], each["valid_until"]) for each in found] == [
        (kcell(342), instant(NOON + MINUTE + DAY)),
        (kcell(341), instant(NOON + DAY)),
    ]


async def one_request(core: Core, b: str) -> str:
    [request] = result(await core.do("delegation.requests", b))["requests"]
    return str(request["id"])


async def test_agreeing_in_the_cabinet_is_as_good_as_the_code(core: Core) -> None:
    a, b = kcell(343), kcell(344)
    code = await ask(core, a, b)
    request = await one_request(core, b)
    assert await core.do("delegation.answer", b, request=request, agree=True) == Done({})
    assert await events(core, b) == ["asked", "activation"]
    for agree in (True, False):
        assert await core.do("delegation.answer", b, request=request, agree=agree) == NO_SUCH_REQUEST
    assert await confirm(core, b, code) == wrong(2)
    activation = await core.sent(b, "delegation.activation", "code")
    assert await activate(core, a, b, activation) == Done({"number": b})


async def test_a_request_that_was_refused_is_over_and_its_code_dead(core: Core) -> None:
    a, b = kcell(345), kcell(346)
    code = await ask(core, a, b)
    assert await core.do("delegation.answer", b, request=await one_request(core, b), agree=False) == Done({})
    assert await listed(core, b, "requests", "requests") == []
    assert await confirm(core, b, code) == wrong(2)
    assert await activate(core, a, b, code) == NO_SUCH_REQUEST
    core.now = NOON + MINUTE
    await ask(core, a, b)


async def test_a_request_is_answered_by_nobody_else_and_not_after_a_day(core: Core) -> None:
    a, b = kcell(347), kcell(348)
    await ask(core, a, b)
    request = await one_request(core, b)
    for who, named in ((a, request), (kcell(349), request), (b, str(uuid.uuid4())), (b, "none")):
        assert await core.do("delegation.answer", who, request=named, agree=True) == NO_SUCH_REQUEST
    core.now = NOON + DAY
    for agree in (True, False):
        assert await core.do("delegation.answer", b, request=request, agree=agree) == NO_SUCH_REQUEST
    assert await events(core, b) == ["asked"]


# --- beginning ------------------------------------------------------------------------------------------------------


async def test_three_wrong_activation_codes_void_it_and_no_other(core: Core) -> None:
    a, b, c, d = kcell(350), kcell(351), kcell(352), kcell(353)
    code, of_c = await agreed(core, a, b), await agreed(core, a, c)
    core.now = NOON + MINUTE
    of_d = await agreed(core, d, b)
    outcomes = [await activate(core, a, b, another(code, n)) for n in (1, 2, 3)]
    assert outcomes == [wrong(2), wrong(1), wrong(0)]
    assert await activate(core, a, b, code) == Refused("VOID", {})
    assert not await acts_for(core, a, b)
    assert await listed(core, a, "managed", "agreed") == [c]
    assert await activate(core, a, c, of_c) == Done({"number": c})
    assert await activate(core, d, b, of_d) == Done({"number": b})


async def test_what_is_void_can_be_asked_for_anew(core: Core) -> None:
    a, b = kcell(354), kcell(355)
    code = await agreed(core, a, b)
    for n in (1, 2, 3):
        await activate(core, a, b, another(code, n))
    core.now = NOON + MINUTE
    await managed(core, a, b)
    assert await acts_for(core, a, b)


async def test_two_wrong_ones_do_not_spoil_the_right_one_and_a_repeated_call_is_one_try(core: Core) -> None:
    a, b, call_id = kcell(356), kcell(357), str(uuid.uuid4())
    code = await agreed(core, a, b)
    for _ in range(5):
        assert await activate(core, a, b, another(code), call_id) == wrong(2)
    assert await activate(core, a, b, another(code, 2)) == wrong(1)
    assert await activate(core, a, b, code) == Done({"number": b})
    assert await activate(core, a, b, code) == NO_SUCH_REQUEST


async def test_of_two_hundred_wrong_codes_at_once_three_are_looked_at(core: Core) -> None:
    a, b, c, d = kcell(358), kcell(359), kcell(360), kcell(361)
    code, of_c = await agreed(core, a, b), await agreed(core, a, c)
    core.now = NOON + MINUTE
    of_d = await agreed(core, d, b)
    outcomes = await asyncio.gather(*(activate(core, a, b, another(code, n)) for n in range(1, 201)))
    assert sorted(outcomes, key=repr) == sorted([wrong(2), wrong(1), wrong(0), *[Refused("VOID", {})] * 197], key=repr)
    tried = await core.pool.fetchval(
        "SELECT d.wrong FROM delegations d JOIN subscribers a ON a.subscriber_id = d.manager_id"
        " WHERE a.msisdn = $1 AND d.state = 'void'",
        a,
    )
    assert tried == 3
    assert await activate(core, a, c, of_c) == Done({"number": c})
    assert await activate(core, d, b, of_d) == Done({"number": b})


async def test_a_code_activates_only_its_own_request(core: Core) -> None:
    a, b, c = kcell(362), kcell(363), kcell(364)
    of_b, of_c = await agreed(core, a, b), await agreed(core, a, c)
    assert await activate(core, a, b, of_c) == wrong(2)
    assert await activate(core, kcell(365), b, of_b) == NO_SUCH_REQUEST
    assert await activate(core, b, b, of_b) == NO_SUCH_REQUEST
    assert await activate(core, a, b, of_b) == Done({"number": b})


async def test_no_code_lies_in_clear(core: Core, owner: asyncpg.Connection) -> None:
    a, b = kcell(366), kcell(367)
    first = await ask(core, a, b)
    await confirm(core, b, first)
    second = await core.sent(b, "delegation.activation", "code")
    await activate(core, a, b, another(second))
    kept = ""
    for table in ("calls", "delegations", "code_senders", "notices", "tries"):
        kept += "\n".join(row[0] for row in await owner.fetch(f"SELECT t::text FROM {table} t"))
    assert b in kept
    for code in (first, second):
        assert code not in kept
        assert code.encode().hex() not in kept


# --- managing -------------------------------------------------------------------------------------------------------


async def test_it_is_suspended_while_the_number_is_in_debt(core: Core) -> None:
    a, b = kcell(370), kcell(371)
    await managed(core, a, b)
    await core.do("subscribers.set_status", b, status="barred")
    for operation in ("subscribers.hello", "balances.get", "tariffs.current"):
        assert await core.do(operation, b, by=a) == NOT_MANAGED
    assert "manages" not in result(await core.do("subscribers.hello", a))
    assert await listed(core, b, "managers", "managers") == [a]
    await core.do("subscribers.set_status", b, status="active")
    assert await acts_for(core, a, b)
    assert result(await core.do("subscribers.hello", a))["manages"] == 1


async def test_who_is_in_debt_can_still_end_it(core: Core) -> None:
    a, b = kcell(372), kcell(373)
    await managed(core, a, b)
    await core.do("subscribers.set_status", b, status="barred")
    assert await core.do("delegation.end", b, number=a) == Done({})
    await core.do("subscribers.set_status", b, status="active")
    assert not await acts_for(core, a, b)


async def test_the_holder_is_told_of_each_change_and_of_nothing_else(core: Core) -> None:
    a, b = kcell(374), await with_balance(core, kcell(375), 9_000)
    await managed(core, a, b)
    before, call_id = len(await core.notices(b)), str(uuid.uuid4())
    for _ in range(2):
        done = await core.do("notices.set", b, by=a, call_id=call_id, kind="topped_up", on=False)
        assert done == Done({"on": False})
    await core.do("notices.settings", b, by=a)
    quoted = result(await core.do("tariffs.quote", b, by=a, tariff="kcell-plus"))
    confirming = {"intent": quoted["intent"], "digits": quoted["digits"]}
    wrong_digits = {**confirming, "digits": other_digits(quoted["digits"])}
    assert isinstance(await core.do("tariffs.confirm", b, by=a, **wrong_digits), Refused)
    assert isinstance(await core.do("blocking.block", b, by=a, last_digits="0000"), Refused)
    await core.do("notices.set", b, kind="topped_up", on=True)
    assert len(await core.notices(b)) == before + 1
    for _ in range(2):
        assert isinstance(await core.do("tariffs.confirm", b, by=a, **confirming), Done)
    told = [(each["event"], each["arguments"]) for each in (await core.notices(b))[before:]]
    changed = [arguments for event, arguments in told if event == "delegation.changed"]
    assert changed == [{"caller": a, "what": "notices"}, {"caller": a, "what": "tariff"}]
    assert sorted(event for event, _ in told) == ["delegation.changed", "delegation.changed", "tariffs.changed"]


async def test_who_manages_a_number_cannot_hand_it_on(core: Core) -> None:
    a, b, c = kcell(376), kcell(377), kcell(378)
    await managed(core, a, b)
    core.now = None  # over HTTP with its deadlines
    for operation, arguments in (
        ("delegation.request", {"number": c}),
        ("delegation.answer", {"request": str(uuid.uuid4()), "agree": True}),
        ("delegation.confirm", {"code": "12345678"}),
        ("delegation.managers", {}),
    ):
        assert isinstance(await core.ask(operation, b, arguments, by=a), NotMade)
    core.now = NOON + MINUTE
    await managed(core, c, a)
    assert not await acts_for(core, c, b)


# --- its end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_holder", [True, False])
async def test_either_of_the_two_ends_it_and_both_are_told(core: Core, by_holder: bool) -> None:
    a, b = kcell(380 + 2 * by_holder), kcell(381 + 2 * by_holder)
    await managed(core, a, b)
    ends, other = (b, a) if by_holder else (a, b)
    wrong = await core.do("delegation.end", ends, number=other, last_digits="9999")
    assert wrong == Refused("WRONG_DIGITS", {})
    assert await core.do("delegation.end", ends, number=other, last_digits=other[-4:]) == Done({})
    for told, of in ((a, b), (b, a)):
        last = (await core.notices(told))[-1]
        assert (last["event"], last["arguments"]) == ("delegation.ended", {"number": of})
    assert not await acts_for(core, a, b)
    assert result(await core.do("delegation.managed", a)) == {"managed": [], "agreed": []}
    assert await listed(core, b, "managers", "managers") == []
    assert await core.do("delegation.end", ends, number=other) == Refused("NOT_SO", {})


async def test_it_begins_again_only_with_new_codes(core: Core) -> None:
    a, b = kcell(384), kcell(385)
    code = await agreed(core, a, b)
    await activate(core, a, b, code)
    await core.do("delegation.end", b, number=a)
    assert await activate(core, a, b, code) == NO_SUCH_REQUEST
    core.now = NOON + MINUTE
    await managed(core, a, b)
    assert await acts_for(core, a, b)


async def test_nobody_ends_what_is_not_so(core: Core) -> None:
    a, b, stranger = kcell(386), kcell(387), kcell(388)
    await managed(core, a, b)
    for who, number in ((stranger, b), (b, stranger), (a, a), (a, "77019999999")):
        assert await core.do("delegation.end", who, number=number) == Refused("NOT_SO", {})
    assert await acts_for(core, a, b)


@pytest.mark.parametrize("sweeps", [True, False])
async def test_a_request_that_ran_out_is_nothing_to_be_ended(core: Core, sweeps: bool) -> None:
    a, b = kcell(400 + 2 * sweeps), kcell(401 + 2 * sweeps)
    await ask(core, a, b)
    core.now = NOON + DAY
    if sweeps:
        await core.sweeper.sweep()
    assert await core.do("delegation.end", b, number=a) == Refused("NOT_SO", {})
    assert await events(core, a) == []


async def test_a_request_can_be_taken_back_before_it_is_answered(core: Core) -> None:
    a, b = kcell(404), kcell(405)
    code = await ask(core, a, b)
    assert await core.do("delegation.end", a, number=b) == Done({})
    assert await listed(core, b, "requests", "requests") == []
    assert await confirm(core, b, code) == wrong(2)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("whose", ["holder", "manager"])
async def test_a_blocked_or_closed_number_ends_all_of_them(core: Core, whose: str, closed: bool) -> None:
    n = 410 + 5 * (2 * closed + (whose == "manager"))
    ended, first, second, asked, agreeing = (kcell(n + place) for place in range(5))

    def of(other: str) -> tuple[str, str]:
        return (other, ended) if whose == "holder" else (ended, other)

    for other in (first, second):
        await managed(core, *of(other))
        core.now = (core.now or NOON) + MINUTE
    codes = {asked: await ask(core, *of(asked))}
    core.now = (core.now or NOON) + HOUR
    codes[agreeing] = await agreed(core, *of(agreeing))
    if closed:
        await core.do("subscribers.set_status", ended, status="closed")
    else:
        await core.do("blocking.block", ended, last_digits=ended[-4:])
        await core.do("blocking.unblock", ended, document="identity card 012345678")
    for other in (first, second):
        last = (await core.notices(other))[-1]
        assert (last["event"], last["arguments"]) == ("delegation.ended", {"number": ended})
    assert (await events(core, asked)).count("ended") == (await events(core, agreeing)).count("ended") == 0
    states = await core.pool.fetch(
        "SELECT d.state, count(*) FROM delegations d JOIN subscribers s"
        " ON s.subscriber_id = CASE WHEN $2 THEN d.managed_id ELSE d.manager_id END WHERE s.msisdn = $1 GROUP BY 1",
        *(ended, whose == "holder"),
    )
    assert dict(states) == {"ended": 2, "expired": 2}
    if not closed:  # whoever has the number again has nobody beside them
        assert not await acts_for(core, *of(first))
        assert isinstance(await confirm(core, of(asked)[1], codes[asked]), Refused)
        assert await activate(core, *of(agreeing), codes[agreeing]) == NO_SUCH_REQUEST


# --- a SIM card that is too new -------------------------------------------------------------------------------------


async def test_a_sim_card_of_less_than_72_hours_does_none_of_the_steps(core: Core) -> None:
    a, b = kcell(430), kcell(431)
    too_new = Refused("SIM_TOO_NEW", {"again_at": instant(NOON + 72 * HOUR)})
    await core.do("subscribers.report_sim_change", a)
    core.now = NOON + 72 * HOUR - SECOND
    assert await core.do("delegation.request", a, number=b) == too_new
    core.now = NOON + 72 * HOUR
    first = await ask(core, a, b)
    await core.do("subscribers.report_sim_change", b)
    core.now += MINUTE
    too_new = Refused("SIM_TOO_NEW", {"again_at": instant(NOON + 144 * HOUR)})
    assert await confirm(core, b, first) == too_new
    assert await core.do("delegation.answer", b, request=await one_request(core, b), agree=True) == too_new
    assert await core.do("delegation.answer", b, request=await one_request(core, b), agree=False) == Done({})


async def test_a_new_sim_card_of_who_asked_stops_the_last_step_as_well(core: Core) -> None:
    a, b = kcell(432), kcell(433)
    code = await agreed(core, a, b)
    await core.do("subscribers.report_sim_change", a)
    core.now = NOON + HOUR
    too_new = Refused("SIM_TOO_NEW", {"again_at": instant(NOON + 72 * HOUR)})
    assert await activate(core, a, b, code) == too_new
    assert not await acts_for(core, a, b)


async def test_whoever_gets_a_new_number_waits_as_long(core: Core) -> None:
    a, b = kcell(434), kcell(436)
    await core.pool.execute("UPDATE subscribers SET held_since = $2 WHERE msisdn = $1", a, NOON)
    core.now = NOON + 71 * HOUR
    too_new = Refused("SIM_TOO_NEW", {"again_at": instant(NOON + 72 * HOUR)})
    assert await core.do("delegation.request", a, number=b) == too_new
