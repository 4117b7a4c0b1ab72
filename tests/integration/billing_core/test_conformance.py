"""The conformance kit: green against our core, and red, by the promise's name, against one that breaks a promise."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from billing.conformance import samples
from billing.conformance.asking import Client
from billing.conformance.door import HOUR
from billing.conformance.ground import Wallet
from billing.conformance.running import ALL, Plan, Report, run
from billing.contract import LANGUAGES, OPERATIONS, Choice, Field, Msisdn, check_values
from billing.operation import ASKERS
from billing.signing import SigningError, verify
from billing.wire import JSON_TYPE, REQUEST_OCTETS_MAX, read_request
from billing_core import config, sweeper
from billing_core.app import make_app
from billing_core.domains import payments
from billing_core.seeding.wallets import pin_of

from .breaking_core import Asked, Fault, Passing, Said, breaking_core
from .running_core import KEY, Core, running_core, served

DESK_KEY = b"fedcba9876543210fedcba9876543210"
ENGINE, DESK = Client("engine", KEY), Client("desk", DESK_KEY)
NUMBER = "77010000007"

ARGUMENTS = {f"arguments.{what}" for what in ("missing", "wrong_type", "out_of_bounds", "unknown")}
FIELDS = ARGUMENTS | {promise.name for promise in ALL if promise.name.startswith("envelope.")}
TURNED_AWAY = {p.name for p in ALL if p.name.startswith("signature.")} - {"signature.accepted"}
OF_NOBODY = {"number.unknown", "refusal.kept", "refusal.told", "once.secrets"}


def wallet(n: int, to: str = "") -> Wallet:
    """The wallet of a seeded number that ends in `n`."""
    return Wallet(f"99655500000{n}", pin_of(n), to)


@pytest.fixture(scope="module")
async def core(database: str) -> AsyncIterator[Core]:
    """A core that sweeps often, with PINs that cost little and payments that are soon given up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payments, "FENCE_SECONDS", 1)
        patch.setattr(sweeper, "SWEEP_SECONDS", 0.2)
        async with running_core(database, memory_kib=8, passes=1) as core:
            sweeping = asyncio.create_task(core.sweeper.run())
            yield core
            core.sweeper.stop()
            await sweeping


@pytest.fixture(scope="module")
async def two_clients(core: Core) -> AsyncIterator[str]:
    """The address of a core that the engine asks as subscribers, and a desk as everybody else."""
    desk = config.Client((DESK_KEY,), frozenset(ASKERS) - {"subscriber"})
    clients = {"engine": config.Client((KEY,), frozenset({"subscriber"})), "desk": desk}
    async with served(make_app(core.pool, clients, core.operations, core.measures)) as url:
        yield url


def breaches(report: Report, most: int = 1000) -> str:
    """What was found, so many of each promise at most."""
    return "\n".join(
        f"{verdict.promise.name} {breach}" for verdict in report.verdicts for breach in verdict.breaches[:most]
    )


# --- a sound core -----------------------------------------------------------------------------------------------------


async def test_our_core_keeps_every_promise(two_clients: str) -> None:
    report = await run(Plan(two_clients, ENGINE, NUMBER, DESK, wallet(1, "996555000002")))
    assert breaches(report) == ""
    assert [verdict.promise.name for verdict in report.verdicts if verdict.not_tried] == []


async def test_what_was_not_given_is_not_tried_and_said(core: Core) -> None:
    report = await run(Plan(core.url, ENGINE, NUMBER))
    assert report.failed == []
    assert {verdict.promise.name.partition(".")[0] for verdict in report.verdicts if verdict.not_tried} == {
        "asked_by",
        "wallet",
        "reading",
    }


async def try_out(
    url: str, fault: Fault, wallet: Wallet | None = None, other: Client | None = None, *, fields: bool = False
) -> Report:
    """The kit against the core with this fault; the promises of fields, which are many requests, where they matter."""
    promises = [promise for promise in ALL if fields or promise.name not in FIELDS]
    async with breaking_core(url, fault) as broken:
        return await run(Plan(broken, ENGINE, NUMBER, other, wallet), promises=promises)


async def sound(asked: Asked, pass_on: Passing) -> Said:
    return await pass_on(asked)


async def test_a_proxy_without_a_fault_breaks_nothing(two_clients: str) -> None:
    assert breaches(await try_out(two_clients, sound, wallet(3), DESK, fields=True)) == ""


# --- faults, each of them caught by name ------------------------------------------------------------------------------


def is_signed(asked: Asked, skew_seconds_max: float = 60) -> bool:
    try:
        header = asked.headers.get("Authorization")
        verify({"engine": (KEY,)}, "POST", asked.path, header, asked.octets, time.time(), skew_seconds_max)
    except SigningError:
        return False
    return True


def is_call(asked: Asked) -> bool:
    """Whether it would come to the operation itself."""
    if asked.operation not in OPERATIONS or len(asked.octets) > REQUEST_OCTETS_MAX or not is_signed(asked):
        return False
    try:
        request = read_request(asked.octets)
    except msgspec.DecodeError:
        return False
    fields = {"msisdn": Field(Msisdn(), ""), "language": Field(Choice(LANGUAGES), "")}
    beside = {"msisdn": request.msisdn, "language": request.language}
    faults = check_values(request.arguments, OPERATIONS[asked.operation].arguments, "")
    return not faults + check_values(beside, fields, "") and not request.by


async def a_balance_that_is_text(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    if asked.operation != "balances.get" or said.status != 200 or "done" not in said.body:
        return said
    result = said.body["done"]
    return said.with_body({"done": {**result, "balance": {**result["balance"], "minor": "178883"}}})


async def a_code_of_its_own(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    if asked.operation != "subscribers.hello":
        return said
    return said._replace(octets=said.octets.replace(b"UNKNOWN_NUMBER", b"NO_SUBSCRIBER"))


async def a_detail_of_its_own(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    is_refused = said.status == 200 and said.body.get("refused") == {"code": "NO_WALLET"}
    if asked.operation != "wallet.balance" or not is_refused:
        return said
    return said.with_body({"refused": {**said.body["refused"], "details": {"why": "no wallet"}}})


async def done_for_what_does_not_fit(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    return Said(200, {"Content-Type": JSON_TYPE}, b'{"done":{}}') if said.status == 422 else said


async def no_names_of_fields(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    return said.with_body({"title": "A field does not fit", "status": 422}) if said.status == 422 else said


async def no_word_of_how_to_sign(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    return said._replace(headers={n: v for n, v in said.headers.items() if n.lower() != "www-authenticate"})


async def problems_as_plain_json(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    return said._replace(headers={"Content-Type": JSON_TYPE}) if said.status == 413 else said


async def what_was_sent_in_a_problem(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    return said.with_body({**said.body, "detail": asked.octets.decode()}) if said.status == 422 else said


async def the_body_not_signed(asked: Asked, pass_on: Passing) -> Said:
    """Whoever it is, and whatever is in it, as long as there is a header of our own scheme."""
    is_ours = asked.headers.get("Authorization", "").startswith("HMAC-SHA256 engine:")
    return await pass_on(asked.signed_anew() if is_ours else asked)


async def signatures_of_any_age(asked: Asked, pass_on: Passing) -> Said:
    return await pass_on(asked.signed_anew() if is_signed(asked, 2 * HOUR) else asked)


async def everybody_may_ask(asked: Asked, pass_on: Passing) -> Said:
    return await pass_on(asked.signed_anew() if ":" in asked.headers.get("Authorization", "") else asked)


async def another_document(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    return said.with_body({**said.body, "openapi": "3.0.0"}) if asked.path == "/openapi.json" else said


async def no_ids(asked: Asked, pass_on: Passing) -> Said:
    """Every call gets an id of its own: nothing is recognised."""
    return await pass_on(asked.changed(id=str(uuid.uuid4())) if is_call(asked) else asked)


async def calls_of_anybody(asked: Asked, pass_on: Passing) -> Said:
    """`calls.status` tells of every number what it knows of the test number's calls."""
    if asked.operation == "calls.status" and is_call(asked) and asked.body["msisdn"] == samples.NOBODY:
        said = await pass_on(asked.changed(msisdn=NUMBER))
        return said if said.body["done"]["outcome"] == "done" else await pass_on(asked)
    return await pass_on(asked)


def answers_by_id_alone() -> Fault:
    """A cache before the core that looks at nothing but the id."""
    kept: dict[str, Said] = {}

    async def fault(asked: Asked, pass_on: Passing) -> Said:
        if not is_call(asked) or not changes(asked):
            return await pass_on(asked)
        call_id = asked.body["id"]
        if call_id not in kept:
            said = await pass_on(asked)
            if said.status != 200:
                return said
            kept[call_id] = said
        return kept[call_id]

    return fault


def forgets_refusals() -> Fault:
    """A refused call is done anew when it arrives again."""
    refused: set[str] = set()

    async def fault(asked: Asked, pass_on: Passing) -> Said:
        if not is_call(asked) or not changes(asked):
            return await pass_on(asked)
        call_id = asked.body["id"]
        said = await pass_on(asked.changed(id=str(uuid.uuid4())) if call_id in refused else asked)
        if said.status == 200 and "refused" in said.body:
            refused.add(call_id)
        return said

    return fault


def looks_before_it_inserts() -> Fault:
    """Ids are remembered once a call is done: those that arrive meanwhile are done as well."""
    under_way: set[str] = set()

    async def fault(asked: Asked, pass_on: Passing) -> Said:
        call_id = asked.body.get("id") if is_call(asked) else None
        if call_id in under_way:
            return await pass_on(asked.changed(id=str(uuid.uuid4())))
        if call_id is not None:
            under_way.add(call_id)
        said = await pass_on(asked)
        await asyncio.sleep(0.01 if asked.operation == "balances.top_up" else 0)
        under_way.discard(str(call_id))
        return said

    return fault


def silent_after(requests: int) -> Fault:
    """Answers so many requests, and then none."""
    answered = 0

    async def fault(asked: Asked, pass_on: Passing) -> Said:
        nonlocal answered
        answered += 1
        if answered > requests:
            await asyncio.sleep(0.5)
        return await pass_on(asked)

    return fault


def changes(asked: Asked) -> bool:
    return asked.operation in OPERATIONS and OPERATIONS[asked.operation].changes


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        (a_balance_that_is_text, {"reading.results", "once.money", "once.at_once"}),
        (a_code_of_its_own, {"number.unknown"}),
        (a_detail_of_its_own, {"reading.results"}),
        (done_for_what_does_not_fit, FIELDS),
        (no_names_of_fields, FIELDS),
        (no_word_of_how_to_sign, TURNED_AWAY),
        (problems_as_plain_json, {"body.too_long"}),
        (what_was_sent_in_a_problem, {"secrets.never_repeated"}),
        (signatures_of_any_age, {"signature.old", "signature.future"}),
        (
            the_body_not_signed,
            {f"signature.{what}" for what in ("key", "short", "operation", "query", "body", "old", "future")},
        ),
        (another_document, {"document.served"}),
        (calls_of_anybody, {"status.others"}),
        (
            no_ids,
            {
                *("once.effect", "once.other_call", "once.money", "once.at_once"),
                *("refusal.kept", "refusal.told", "refusal.language", "refusal.stays"),
                *("status.done", "digits.counted"),
            },
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_a_broken_promise_is_named(core: Core, fault: Fault, broken: set[str]) -> None:
    report = await try_out(core.url, fault, fields=bool(broken & FIELDS))
    assert set(report.failed) == broken, breaches(report, 3)


@pytest.mark.parametrize(
    ("make", "broken"),
    [
        (answers_by_id_alone, {"once.other_call", "refusal.kept"}),
        (forgets_refusals, {"refusal.kept", "refusal.stays", "digits.counted"}),
        (looks_before_it_inserts, {"once.at_once"}),
    ],
)
async def test_an_id_that_means_too_little_is_named(core: Core, make: Callable[[], Fault], broken: set[str]) -> None:
    report = await try_out(core.url, make())
    assert set(report.failed) == broken, breaches(report, 3)


async def test_a_core_that_lets_everybody_ask_is_named(two_clients: str, core: Core) -> None:
    report = await try_out(core.url, everybody_may_ask, other=Client("engine", KEY)._replace(name="desk"))
    assert "asked_by.others" in report.failed


# --- of the wallet ----------------------------------------------------------------------------------------------------


async def not_paid_at_once(asked: Asked, pass_on: Passing) -> Said:
    """Whoever asks about a payment that is open is told that it was not paid."""
    said = await pass_on(asked)
    if asked.operation == "wallet.outcome" and b"pending" in said.octets:
        return said.with_body({"done": {"outcome": "refused", "refusal": "EXPIRED"}})
    return said


def asking_does_not_fence() -> Fault:
    """ "Not paid" is told, but the quote is still there."""
    told: set[str] = set()

    async def fault(asked: Asked, pass_on: Passing) -> Said:
        intent = asked.body.get("arguments", {}).get("intent") if is_call(asked) else None
        if asked.operation == "wallet.outcome" and intent is not None:
            status = asked.with_path("calls.status").changed(arguments={"call": asked.body["arguments"]["call"]})
            known = await pass_on(status)
            if known.body["done"]["outcome"] == "unknown_call":
                end = {"outcome": "refused", "refusal": "EXPIRED"} if intent in told else {"outcome": "pending"}
                told.add(intent)
                return known.with_body({"done": end})
        return await pass_on(asked)

    return fault


def pays_for_each_confirmation() -> Fault:
    """A payment that is confirmed again is quoted and paid again."""
    paid: set[str] = set()

    async def fault(asked: Asked, pass_on: Passing) -> Said:
        if asked.operation != "wallet.confirm" or not is_call(asked) or asked.body["arguments"].get("pin") != pin_of(6):
            return await pass_on(asked)
        intent = asked.body["arguments"]["intent"]
        if intent in paid:
            body = {**asked.body, "arguments": {"to": asked.body["msisdn"], "sum": 10}, "id": str(uuid.uuid4())}
            quote = await pass_on(asked.with_path("wallet.quote_mobile").with_body(json.dumps(body).encode()))
            intent = quote.body["done"]["intent"]
        paid.add(intent)
        return await pass_on(asked.changed(arguments={"intent": intent, "pin": pin_of(6)}, id=str(uuid.uuid4())))

    return fault


async def the_pin_in_an_answer(asked: Asked, pass_on: Passing) -> Said:
    said = await pass_on(asked)
    if asked.operation != "wallet.confirm" or not is_call(asked):
        return said
    return said.with_body({"done": {"state": f"paid with {asked.body['arguments']['pin']}"}})


@pytest.mark.parametrize(
    ("fault", "broken", "wallet"),
    [
        (not_paid_at_once, {"wallet.fenced"}, wallet(4)),
        (asking_does_not_fence(), {"wallet.fenced"}, wallet(5)),
        (pays_for_each_confirmation(), {"wallet.paid_once"}, wallet(6)),
        (
            the_pin_in_an_answer,
            {"secrets.never_repeated", *OF_NOBODY, "wallet.wrong_pin", "wallet.paid_once", "wallet.fenced"},
            wallet(7),
        ),
    ],
)
async def test_a_broken_promise_of_payments_is_named(
    core: Core, fault: Fault, broken: set[str], wallet: Wallet
) -> None:
    report = await try_out(core.url, fault, wallet)
    assert set(report.failed) == broken, breaches(report, 3)
    assert wallet.pin not in breaches(report)


# --- a core that is not there, and the command ------------------------------------------------------------------------


async def test_a_core_that_falls_silent_ends_the_run(core: Core) -> None:
    async with breaking_core(core.url, silent_after(30)) as broken:
        report = await run(Plan(broken, ENGINE, NUMBER, seconds_max=0.2))
    assert len(report.failed) >= 1
    assert "does not answer any more" in breaches(report)
    assert report.verdicts[-1].not_tried


async def test_the_wrong_key_is_seen_at_once(core: Core) -> None:
    report = await run(Plan(core.url, Client("engine", b"another key that is long enough"), NUMBER))
    assert report.failed[0] == "signature.accepted"


async def command(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "billing.conformance", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    return process.returncode or 0, out.decode(), errors.decode()


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    """The options that name both clients and their keys."""
    for name, key in (("engine", KEY), ("desk", DESK_KEY)):
        (tmp_path / name).write_bytes(key + b"\n")
    engine = ["--client", "engine", "--key-file", str(tmp_path / "engine")]
    return [*engine, "--other-client", "desk", "--other-key-file", str(tmp_path / "desk")]


async def test_the_command_tells_line_by_line(two_clients: str, keys: list[str]) -> None:
    async with breaking_core(two_clients, another_document) as broken:
        code, out, errors = await command(broken, *keys)
    assert (code, errors) == (1, "")
    lines = out.splitlines()
    assert lines[:4] == [
        "FAILED  document.served          The document at /openapi.json is the contract's.",
        "        asked:    GET /openapi.json",
        "        expected: what `python -m billing.openapi` writes",
        "        came:     another document, at /openapi",
    ]
    assert lines[4].startswith("ok      signature.accepted")
    assert lines[-4].startswith("skipped wallet.fenced")
    assert lines[-3] == "        it takes a wallet: --wallet and --pin"
    assert " kept, 1 broken, 5 not tried; " in lines[-2]
    assert lines[-1] == "broken: document.served"


async def test_the_command_tells_in_one_document(two_clients: str, keys: list[str]) -> None:
    code, out, errors = await command(two_clients, *keys, "--json")
    assert (code, errors) == (0, "")
    told: dict[str, Any] = json.loads(out)
    assert (told["broken"], told["not_tried"], told["kept"]) == (0, 5, len(ALL) - 5)
    assert [each["name"] for each in told["promises"]] == [promise.name for promise in ALL]
    [fenced] = [each for each in told["promises"] if each["name"] == "wallet.fenced"]
    assert (fenced["outcome"], fenced["why"]) == ("not_tried", "it takes a wallet: --wallet and --pin")


async def test_a_number_that_is_not_active_is_told(core: Core) -> None:
    only = [promise for promise in ALL if promise.name.startswith(("number.active", "reading"))]
    report = await run(Plan(core.url, ENGINE, "77010000095"), promises=only)
    assert report.failed[0] == "number.active"
    assert "a number that is active', came='it is blocked" in breaches(report)


async def test_a_command_that_cannot_be_run_says_why(core: Core, keys: list[str], tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"short")
    for wrong, why in (
        (["ftp://core", *keys], "http"),
        ([core.url, *keys[:-2]], "belong together"),
        ([core.url, *keys, "--number", "+7701"], "--number: must be 7 to 15 digits"),
        ([core.url, *keys, "--wallet", "996555000001"], "belong together"),
        ([core.url, *keys[:2], "--key-file", str(tmp_path / "short")], "at least 16 octets"),
        ([core.url, *keys[:2], "--key-file", str(tmp_path / "none")], "No such file"),
    ):
        code, _, errors = await command(*wrong)
        assert code == 2, wrong
        assert why in errors
        assert "Traceback" not in errors
    code, _, errors = await command("http://127.0.0.1:9", *keys)
    assert code == 1
    assert errors.startswith("http://127.0.0.1:9 does not answer: ")
    code, out, _ = await command("--help")
    assert code == 0
    assert "examples:" in out
    assert "harmless" in out
