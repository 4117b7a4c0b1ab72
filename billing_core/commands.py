"""What `billing-core` does beside serving, each command to its end.

Rules of this file:
- A command that does what the contract has, does it by the operation itself, under an id: given again, it gets the
  answer of before.
- Long work tells of its progress on standard error; `--json` has one document on standard output.
- An expected end is a `Failure`: one line.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from billing.calls import Call, Done, Refused
from billing.contract import OPERATIONS, Count, Flag, Money, Secret, Type, Value, check_values
from billing_core import database, key_use, purge, roles, sealer, seeding, sweeper
from billing_core.billers import Accepted, Declined
from billing_core.codes import Codes
from billing_core.config import Config
from billing_core.domains.vouchers import Vouchers
from billing_core.failure import Failure
from billing_core.idempotency import OtherArguments
from billing_core.ledger import money
from billing_core.measures import Measures
from billing_core.migrator import migrate, pending, read_migrations
from billing_core.operations import Domains, make_operations
from billing_core.serving import close, make_hasher, refuse_unready, tools_over

_CURRENCY: Final = """
SELECT n.currency FROM subscribers s JOIN networks n USING (network) WHERE s.msisdn = $1 AND s.held_until IS NULL
"""
_SEAL: Final = "seal_id || ':' || encode(hash, 'hex')"
_LAST_SEAL: Final = f"SELECT {_SEAL} FROM seals ORDER BY seal_id DESC LIMIT 1"  # noqa: S608 - words of ours
_IS_SEAL: Final = f"SELECT EXISTS (SELECT FROM seals WHERE {_SEAL} = $1)"  # noqa: S608
_VOUCHERS_MAX: Final = 100_000
_PROGRESS_SECONDS: Final = 0.5


# --- the schema, and what is in it ---


async def migrate_schema(config: Config) -> None:
    """`migrate`."""
    async with owner(config) as connection:
        applied = await migrate(connection, read_migrations())
        try:
            await roles.grant(connection, config.serving_role())
        except asyncpg.UndefinedObjectError:
            role = config.serving_role()
            raise Failure(f"there is no role '{role}': make it (CREATE ROLE … LOGIN PASSWORD …), and migrate") from None
    print("\n".join(f"applied {name}" for name in applied) or "nothing to apply")


async def seed(config: Config, numbers: int, free_numbers: int) -> None:
    """`seed`."""
    if not 1 <= numbers <= seeding.KCELL_NUMBERS_MAX:
        raise Failure(f"--numbers must be 1 to {seeding.KCELL_NUMBERS_MAX}")
    hasher = make_hasher(config)
    try:
        async with owner(config, migrated=True) as connection:
            codes = Codes(*config.peppers())
            added = await seeding.seed(connection, codes, hasher, numbers, free_numbers, _show_progress)
    finally:
        hasher.close()
    print(f"added {added} subscribers")


async def verify(config: Config, as_json: bool, expected: str | None) -> None:
    """`verify`; `expected`: a seal that was noted elsewhere, as it is printed. Raises Failure when something does not
    hold."""
    async with owner(config, migrated=True) as connection:
        wrong = await sealer.verify(connection, *config.seal_keys(), progress=_say)
        [(postings, seals, waiting)] = await connection.fetch(
            "SELECT (SELECT count(*) FROM postings), (SELECT count(*) FROM seals), (SELECT count(*) FROM unsealed)"
        )
        last = await connection.fetchval(_LAST_SEAL)
        if expected is not None and not await connection.fetchval(_IS_SEAL, expected):
            wrong.append(sealer.Wrong("a seal that was noted is not there", (int(expected.partition(":")[0]),)))
    told = [{"what": each.what, "numbers": list(each.numbers)} for each in wrong]
    if as_json:
        print(
            json.dumps(
                {"postings": postings, "seals": seals, "not_sealed_yet": waiting, "last_seal": last, "wrong": told}
            )
        )
    else:
        for each in wrong:
            print(f"{each.what}: {', '.join(map(str, each.numbers))}")
        print(f"{postings} postings, {seals} seals, {waiting} postings not sealed yet; the last seal is {last}")
    if wrong:
        raise Failure("the ledger does not hold: nobody should post to it before it is known why")


async def keys(config: Config, as_json: bool) -> None:
    """`keys`: what still needs which key, so that one that nothing needs can be taken out of its file."""
    async with owner(config, migrated=True) as connection:
        used = await key_use.key_use(connection, config.peppers())
    if as_json:
        print(json.dumps(used._asdict() | {"peppers": [each._asdict() for each in used.peppers]}))
        return
    for number, each in enumerate(used.peppers, 1):
        which = f"line {number} of the pepper file" if each.id in used.ids else f"a pepper {each.id} that is not there"
        print(f"{which}: {each.pins} PINs, {each.passwords} passwords")
    print(f"vouchers that nobody has used: {used.vouchers}, the oldest made {used.oldest_voucher or '-'}")
    print(f"secrets in SMS that wait: {used.sealed}, the oldest since {used.oldest_sealed or '-'}")


async def forget(config: Config) -> None:
    """`purge`."""
    async with owner(config, migrated=True) as connection:
        forgotten = await purge.purge(connection, config.core.keeping, lambda what, count: _say(f"{what}: {count}"))
    print("\n".join(f"forgot {count}: {what}" for what, count in forgotten.items()) or "nothing is too old")


async def make_vouchers(config: Config, count: int, sum_minor: int, currency: str) -> None:
    """`vouchers`: their digits, a line each; they stand nowhere else."""
    if not 1 <= count <= _VOUCHERS_MAX:
        raise Failure(f"--count must be 1 to {_VOUCHERS_MAX}")
    async with _domains(config) as (pool, domains), pool.acquire() as connection:
        [vouchers] = domains.by_name["vouchers"]
        assert isinstance(vouchers, Vouchers)  # noqa: S101 - as the table says
        for digits in await vouchers.make(connection, count, sum_minor, currency):
            print(digits)


# --- what the contract has ---


async def perform(config: Config, operation: str, msisdn: str, given: Sequence[str], call_id: uuid.UUID) -> None:
    """`perform`: any operation of the contract, answered as JSON."""
    if operation not in OPERATIONS:
        raise Failure(f"there is no operation '{operation}': docs/billing-operations.md lists them")
    async with _domains(config) as (pool, domains):
        currency = await pool.fetchval(_CURRENCY, msisdn) or "KZT"
        arguments = read_arguments(operation, given, currency)
        outcome = await _ask(pool, domains, Call(str(call_id), operation, msisdn, "en", arguments))
    if isinstance(outcome, Refused):
        details = f" {json.dumps(outcome.details)}" if outcome.details else ""
        raise Failure(f"{outcome.code}: {refusal_of(operation, outcome.code)}{details}")
    print(json.dumps(outcome.result, ensure_ascii=False))


async def top_up(config: Config, msisdn: str, sum_minor: int, call_id: uuid.UUID) -> None:
    """`topup`."""
    async with _domains(config) as (pool, domains):
        currency = await pool.fetchval(_CURRENCY, msisdn) or "KZT"
        arguments: dict[str, Value] = {"sum": money(sum_minor, currency), "place": "cli"}
        outcome = await _ask(pool, domains, Call(str(call_id), "balances.top_up", msisdn, "en", arguments))
    balance: Any = done("balances.top_up", outcome)["balance"]
    has = f"{shown(balance['minor'])} {currency} on the account of {msisdn} then"
    print(f"{shown(sum_minor)} {currency} came under {call_id}: {has}")


async def missed_call(config: Config, msisdn: str, caller: str, times: int) -> None:
    """`missed-call`."""
    async with _domains(config) as (pool, domains):
        call = Call(str(uuid.uuid4()), "missed_calls.report", msisdn, "en", {"caller": caller, "times": times})
        done(call.operation, await _ask(pool, domains, call))
    print(f"{msisdn} will be told")


# --- payments that wait for people ---


async def reconcile(config: Config, intent: uuid.UUID | None, decided: str | None, as_json: bool) -> None:
    """`reconcile`: lists what is open for long; with an intent, ends it as people have found out."""
    async with _domains(config) as (pool, domains):
        if intent is not None:
            answer = Accepted() if decided == "paid" else Declined("decided by people")
            state = await pool.fetchval("SELECT state FROM intents WHERE intent_id = $1", intent)
            if state != "reserved":
                raise Failure(f"{intent} is {'not known' if state is None else state}: nothing to decide")
            await domains.payments.settle(pool, intent, answer)
            print(f"{intent} is settled: {decided}")
            return
        rows = await pool.fetch(sweeper.FOR_PEOPLE, config.core.wallet.people_after_minutes)
    listed = [_open_payment(row) for row in rows]
    if as_json:
        print(json.dumps(listed, ensure_ascii=False))
        return
    for each in listed:
        print("  ".join(str(value) for value in each.values()))
    print(f"{len(listed)} payments have been open for {config.core.wallet.people_after_minutes} minutes or longer")


def _open_payment(row: Any) -> dict[str, Any]:
    terms = msgspec.json.decode(row["terms"])
    return {
        "intent": str(row["intent_id"]),
        "since": row["claimed_at"].isoformat(timespec="seconds"),
        "payer": row["msisdn"],
        "sum": f"{shown(row['sum_minor'])} {row['currency']}",
        "service": terms.get("service", ""),
        "account": terms.get("account", ""),
        "asked": row["tries"],
        "problem": row["problem"] or "",
    }


# --- what they share ---


@contextlib.asynccontextmanager
async def owner(config: Config, *, migrated: bool = False) -> AsyncGenerator[database.Connection, None]:
    """A connection of the schema's owner. Raises Failure when the schema is not whole, and has to be."""
    connection = await asyncpg.connect(config.owner_database_url(), timeout=database.CONNECT_SECONDS_MAX)
    try:
        if migrated and await pending(connection, read_migrations()):
            raise Failure("the database has not the whole schema: run `billing-core migrate`")
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _domains(config: Config) -> AsyncGenerator[tuple[database.Pool, Domains], None]:
    pool = await database.open_pool(config.database_url(), 2)
    try:
        async with pool.acquire() as connection:
            await refuse_unready(connection)
        async with tools_over(config, pool, Measures()) as (tools, _biller):
            yield pool, Domains(tools)
    finally:
        await close(pool)


async def _ask(pool: database.Pool, domains: Domains, call: Call) -> Done | Refused:
    try:
        return await make_operations(domains)[call.operation](pool, call)
    except OtherArguments:
        raise Failure("another call was made under this id") from None


def done(operation: str, outcome: Done | Refused) -> Mapping[str, Value]:
    """The results. Raises Failure for a refusal."""
    if isinstance(outcome, Refused):
        raise Failure(refusal_of(operation, outcome.code))
    return outcome.result


def refusal_of(operation: str, code: str) -> str:
    """A refusal in the contract's words."""
    return OPERATIONS[operation].refusals.get(code, code)


def read_arguments(operation: str, given: Sequence[str], currency: str) -> dict[str, Value]:
    """`name=value` as the contract has them: money in whole units, true or false, `-` to be asked for a secret. Raises
    Failure."""
    fields = OPERATIONS[operation].arguments
    arguments: dict[str, Value] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or name not in fields:
            raise Failure(f"'{each}' is no argument of {operation}: it has {', '.join(fields) or 'none'}")
        arguments[name] = _read(fields[name].type, name, text, currency)
    if faults := check_values(arguments, fields, "arguments"):
        raise Failure("; ".join(f"{fault.field.removeprefix('arguments.')} {fault.what}" for fault in faults))
    return arguments


def _read(kind: Type, name: str, text: str, currency: str) -> Value:
    if isinstance(kind, Money):
        whole, _, part = text.partition(".")
        if whole.isdecimal() and (part + "00")[:2].isdecimal() and len(part) <= 2:
            return money(int(whole) * 100 + int((part + "00")[:2]), currency)
    if isinstance(kind, Count) and text.isdecimal():
        return int(text)
    if isinstance(kind, Flag) and text in ("true", "false"):
        return text == "true"
    if isinstance(kind, Secret) and text == "-":
        return getpass.getpass(f"{name}: ")
    return text


def shown(minor: int) -> str:
    """Hundredths as people write them."""
    return f"{minor // 100}.{minor % 100:02}"


_last_said = 0.0


def _say(what: str) -> None:
    """Progress, not more often than eyes can follow."""
    global _last_said
    if time.monotonic() - _last_said >= _PROGRESS_SECONDS:
        _last_said = time.monotonic()
        print(what, file=sys.stderr)


def _show_progress(what: str, done: int, total: int) -> None:
    print(f"seeding: {done} of {total} {what}", file=sys.stderr)
