"""What is seeded: a ledger that adds up, and everything that the services need to be tried."""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from billing.operations.service_points import OPERATIONS as SERVICE_POINTS
from billing.values import ListOf
from billing_core.codes import Codes
from billing_core.passwords import Hasher
from billing_core.pins import is_personal_inn, is_trivial
from billing_core.seeding import FREE_NUMBERS_MAX, KCELL_NUMBERS_MAX, seed
from billing_core.seeding.identities import iin_of
from billing_core.seeding.numbers import seed_numbers
from billing_core.seeding.service_points import FILE
from billing_core.seeding.services import connect_services
from billing_core.seeding.vouchers import digits_of
from billing_core.seeding.wallets import BALANCE_MINOR, pin_of

from .running_core import PEPPER

KCELL, FREE = 1_000, 2_000
"""As the fixture `owner` has seeded."""
TODAY = datetime.date(2026, 1, 1)
POOLS = {("Kcell", "701"), ("Kcell", "702"), ("activ", "701"), ("activ", "702"), ("activ", "775"), ("activ", "778")}
IIN_WEIGHTS = ((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))
TABLES = (
    *("subscribers", "accounts", "subscriptions", "tariffs", "postings", "entries", "unsealed", "charged_numbers"),
    *("services", "connected_services", "extra_balance_offers", "identities", "vouchers", "cities", "service_points"),
    *("number_brands", "number_categories", "numbers", "biller_categories", "biller_services", "wallets"),
)

# Of the first numbers, what is on the prepaid account, and what follows from the number.
PREPAID = """
SELECT s.msisdn, a.account_id, a.balance_minor,
       CASE WHEN n % 100 IN (91, 92) THEN 0 ELSE (n * 7919 + 123450) % 1000000 END AS expected
FROM subscribers s JOIN accounts a USING (subscriber_id), LATERAL (SELECT right(s.msisdn, 6)::bigint AS n) AS place
WHERE s.network IN ('kcell', 'beeline-kz') AND a.kind = 'prepaid' AND n < 200
"""
MOVES = """
SELECT s.msisdn, p.kind, p.posted_at, c.other
FROM subscribers s JOIN accounts a USING (subscriber_id) JOIN entries e USING (account_id)
JOIN postings p USING (posting_id) LEFT JOIN charged_numbers c USING (posting_id)
WHERE a.kind = 'prepaid' AND p.kind <> 'opening'
"""


@pytest.fixture(scope="module")
def hasher() -> Iterator[Hasher]:
    """Hashes as the fixture `owner` does."""
    made = Hasher(PEPPER)
    yield made
    made.close()


@asynccontextmanager
async def undone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Whatever happens inside is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def everything(connection: asyncpg.Connection) -> dict[str, str]:
    """A hash of every table that is seeded."""
    hashed = "SELECT coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') FROM {} t"
    return {table: await connection.fetchval(hashed.format(table)) for table in TABLES}


# --- money ---


async def test_the_entries_of_each_posting_add_up_to_nothing(owner: asyncpg.Connection) -> None:
    sums = "SELECT p.posting_id FROM postings p LEFT JOIN entries e USING (posting_id) GROUP BY 1"
    assert await owner.fetchval(f"SELECT count(*) FROM ({sums}) AS every") > 3_000
    assert await owner.fetch(sums + " HAVING coalesce(sum(e.amount_minor), 1) <> 0") == []


async def test_each_account_holds_what_its_last_entry_says(owner: asyncpg.Connection) -> None:
    wrong = await owner.fetch(
        "SELECT a.account_id FROM accounts a LEFT JOIN LATERAL (SELECT version, after_minor FROM entries e"
        "  WHERE e.account_id = a.account_id ORDER BY version DESC LIMIT 1) AS last ON true"
        " WHERE (a.version, a.balance_minor) <> (coalesce(last.version, 0), coalesce(last.after_minor, 0))"
    )
    assert wrong == []


async def test_the_entries_of_an_account_follow_one_another_without_gaps(owner: asyncpg.Connection) -> None:
    wrong = await owner.fetch(
        "SELECT account_id FROM (SELECT account_id, version, before_minor,"
        "  row_number() OVER one AS place, lag(after_minor, 1, 0::bigint) OVER one AS was"
        "  FROM entries WINDOW one AS (PARTITION BY account_id ORDER BY version)) AS each"
        " WHERE version <> place OR before_minor <> was"
    )
    assert wrong == []


async def test_no_subscriber_was_ever_below_zero(owner: asyncpg.Connection) -> None:
    found = "SELECT min(e.after_minor) FROM entries e JOIN accounts a USING (account_id) WHERE a.subscriber_id > 0"
    assert await owner.fetchval(found) == 0


async def test_every_posting_waits_for_its_seal(owner: asyncpg.Connection) -> None:
    unsealed = "SELECT FROM unsealed u WHERE u.posting_id = p.posting_id"
    assert await owner.fetch(f"SELECT posting_id FROM postings p WHERE NOT EXISTS ({unsealed})") == []


async def test_what_everybody_began_with_stands_against_the_house(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT a.currency, sum(e.amount_minor) FILTER (WHERE a.subscriber_id > 0) AS given,"
        " -min(a.balance_minor) FILTER (WHERE a.kind = 'opening') AS taken"
        " FROM accounts a JOIN entries e USING (account_id) JOIN postings p USING (posting_id)"
        " WHERE p.kind = 'opening' GROUP BY 1"
    )
    assert {row["currency"] for row in rows} == {"KZT", "KGS"}
    assert all(row["given"] == row["taken"] > 0 for row in rows)


async def test_the_number_of_the_brief_has_its_balance_and_bonuses(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT kind, balance_minor FROM accounts JOIN subscribers USING (subscriber_id) WHERE msisdn = '77010000007'"
    )
    assert {row["kind"]: row["balance_minor"] for row in rows} == {"prepaid": 178_883, "bonus": 25_839}


async def test_a_balance_follows_from_the_number_whatever_its_history(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(PREPAID)
    assert len(rows) == 400
    assert [row for row in rows if row["balance_minor"] != row["expected"]] == []


# --- histories ---


async def test_the_first_numbers_have_six_charges_and_three_payments(owner: asyncpg.Connection) -> None:
    counted: dict[str, Counter[str]] = {}
    for row in await owner.fetch(MOVES):
        counted.setdefault(row["msisdn"], Counter())["top_up" if row["kind"] == "top_up" else "charge"] += 1
    assert counted.keys() == {row["msisdn"] for row in await owner.fetch(PREPAID)}
    assert all(each == {"top_up": 3, "charge": 6} for each in counted.values())


async def test_every_kind_of_charge_is_among_them(owner: asyncpg.Connection) -> None:
    kinds = {row["kind"] for row in await owner.fetch(MOVES)}
    assert kinds == {"top_up", "tariff", "charge.call", "charge.sms", "charge.internet"}


async def test_all_of_it_was_in_the_last_eighty_days(owner: asyncpg.Connection) -> None:
    now = await owner.fetchval("SELECT now()")
    ages = [now - row["posted_at"] for row in await owner.fetch(MOVES)]
    assert datetime.timedelta() <= min(ages) < max(ages) < datetime.timedelta(days=80, hours=1)


async def test_whom_a_call_went_to_is_known(owner: asyncpg.Connection) -> None:
    for row in await owner.fetch(MOVES):
        assert (row["other"] is not None) == (row["kind"] == "charge.call")
        assert row["other"] != row["msisdn"]


# --- once and for all ---


async def test_seeding_again_adds_and_changes_nothing(owner: asyncpg.Connection, hasher: Hasher) -> None:
    before = await everything(owner)
    assert await seed(owner, Codes(PEPPER), hasher, KCELL, FREE) == 0
    assert await everything(owner) == before


async def test_more_can_be_seeded_later(owner: asyncpg.Connection, hasher: Hasher) -> None:
    async with undone(owner):
        assert await seed(owner, Codes(PEPPER), hasher, KCELL + 50, FREE) == 50
        rows = await owner.fetch(PREPAID)
    assert len(rows) == 400


async def test_a_number_that_has_gone_to_somebody_else_stays_theirs(owner: asyncpg.Connection, hasher: Hasher) -> None:
    async with undone(owner):
        await owner.execute("UPDATE subscribers SET held_until = now() WHERE msisdn IN ('77010000005', '77010000006')")
        await owner.execute(
            "INSERT INTO subscribers (msisdn, network, brand, status)"
            " VALUES ('77010000005', 'kcell', 'Kcell', 'active')"
        )
        assert await seed(owner, Codes(PEPPER), hasher, KCELL, FREE) == 0
        assert await owner.fetchval("SELECT count(*) FROM subscribers WHERE msisdn = '77010000006'") == 1
        holder = "(SELECT max(subscriber_id) FROM subscribers WHERE msisdn = '77010000005')"
        for table in ("accounts", "subscriptions", "identities", "connected_services"):
            assert await owner.fetchval(f"SELECT count(*) FROM {table} WHERE subscriber_id = {holder}") == 0


async def test_progress_is_told_to_the_end(owner: asyncpg.Connection, hasher: Hasher) -> None:
    told: list[tuple[str, int, int]] = []
    await seed(owner, Codes(PEPPER), hasher, KCELL, FREE, lambda *step: told.append(step))
    assert told[-2:] == [("subscribers", 5_000, 5_000), ("free numbers", FREE, FREE)]


@pytest.mark.parametrize("counts", [(0, 1), (KCELL_NUMBERS_MAX + 1, 1), (1, -1), (1, FREE_NUMBERS_MAX + 1)])
async def test_what_cannot_be_seeded_is_refused(
    owner: asyncpg.Connection, hasher: Hasher, counts: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="must be"):
        await seed(owner, Codes(PEPPER), hasher, *counts)


# --- services, offers, people, vouchers ---


@pytest.mark.parametrize("network", ["kcell", "beeline-kz"])
async def test_a_kazakh_network_offers_a_dozen_services_in_three_languages(
    owner: asyncpg.Connection, network: str
) -> None:
    rows = await owner.fetch("SELECT * FROM services WHERE network = $1 AND on_offer", network)
    texts = [f"{what}_{language}" for what in ("name", "conditions") for language in ("kk", "ru", "en")]
    assert len(rows) == 12
    assert all(row[text] for row in rows for text in texts)


async def test_some_of_the_first_numbers_have_services_and_some_have_none(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT subscriber_id, count(*) FROM connected_services WHERE until IS NULL GROUP BY 1")
    assert Counter(row["count"] for row in rows) == {1: 100, 2: 100, 3: 100}


async def test_a_service_that_was_ended_stays_ended(owner: asyncpg.Connection) -> None:
    async with undone(owner):
        await owner.execute("UPDATE connected_services SET until = now()")
        await connect_services(owner)
        assert await owner.fetchval("SELECT count(*) FROM connected_services WHERE until IS NULL") == 0


async def test_what_is_lent_costs_a_tenth(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT * FROM extra_balance_offers ORDER BY network, sum_minor")
    by_network: dict[str, list[int]] = {}
    for row in rows:
        assert row["fee_minor"] * 10 == row["sum_minor"]
        by_network.setdefault(row["network"], []).append(row["sum_minor"] // 100)
    tenge, som = [250, 500, 750, 1000], [50, 100]
    assert by_network == {"kcell": tenge, "beeline-kz": tenge, "megacom": som, "beeline-kg": som, "o": som}


async def test_each_of_the_first_numbers_has_a_holder_with_an_iin_of_their_own(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT surname, name, person_id FROM identities")
    assert {row["person_id"] for row in rows} == {iin_of(n) for n in range(400)}
    assert len(rows) == 400


def test_an_iin_has_a_day_of_birth_and_a_control_digit() -> None:
    for n in range(1000):
        iin = iin_of(n)
        assert re.fullmatch(r"[0-9]{12}", iin)
        assert datetime.date(1900 + int(iin[:2]), int(iin[2:4]), int(iin[4:6])) < TODAY
        sums = [sum(int(d) * w for d, w in zip(iin[:11], row, strict=True)) % 11 for row in IIN_WEIGHTS]
        assert next(each for each in sums if each < 10) == int(iin[11])


async def test_the_demo_vouchers_can_be_redeemed(owner: asyncpg.Connection) -> None:
    codes, worth = Codes(PEPPER), [("KZT", 100_000)] * 10 + [("KGS", 20_000)] * 10
    for n, expected in enumerate(worth):
        assert len(digits_of(n)) == 14
        mark = codes.mark("voucher", digits_of(n))
        row = await owner.fetchrow("SELECT currency, sum_minor FROM vouchers WHERE mark = $1 AND used_at IS NULL", mark)
        assert row is not None
        assert tuple(row) == expected


# --- service points ---


async def test_every_service_point_is_there_as_it_was_published(owner: asyncpg.Connection) -> None:
    days = {"mon-fri": "monday_friday", "sat": "saturday", "sun": "sunday", "published": "published"}
    stored = [
        (row["name_ru"], row["address"], row["is_centre"], {day: row[column] for day, column in days.items()})
        for row in await owner.fetch(
            "SELECT p.*, c.name_ru FROM service_points p JOIN cities c USING (city_id) ORDER BY p.position"
        )
    ]
    published = [
        (point["city"], point["address"], point["kind"] == "centre", dict.fromkeys(days) | point["hours"])
        for point in json.loads(FILE.read_text(encoding="utf-8"))["points"]
    ]
    assert len(published) == 61
    assert stored == published


async def test_every_city_is_there_in_three_languages_and_in_the_published_order(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT name_kk AS kk, name_ru AS ru, name_en AS en FROM cities ORDER BY position")
    assert [dict(row) for row in rows] == json.loads(FILE.read_text(encoding="utf-8"))["cities"]
    assert await owner.fetchval("SELECT name_kk FROM cities WHERE city_id = 'oskemen'") == "Өскемен"


async def test_no_city_has_more_points_than_the_contract_can_list(owner: asyncpg.Connection) -> None:
    listed = next(each for each in SERVICE_POINTS if each.name == "service_points.of_city").results["points"].type
    assert isinstance(listed, ListOf)
    most = "SELECT max(n) FROM (SELECT count(*) AS n FROM service_points GROUP BY city_id) AS each"
    assert await owner.fetchval(most) <= listed.items_max


# --- free numbers ---


async def test_so_many_free_numbers_as_were_wanted_under_all_prefixes(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT brand, prefix, count(*) FROM numbers WHERE sold_at IS NULL GROUP BY 1, 2")
    assert sum(row["count"] for row in rows) == FREE
    assert {(row["brand"], row["prefix"]) for row in rows} == POOLS


async def test_a_free_number_begins_with_its_prefix_and_is_no_subscribers(owner: asyncpg.Connection) -> None:
    for row in await owner.fetch("SELECT msisdn, prefix FROM numbers"):
        assert re.fullmatch(f"7{row['prefix']}[1-9][0-9]{{6}}", row["msisdn"])
        assert not 77_010_000_000 <= int(row["msisdn"]) <= 77_010_999_999


async def test_each_prefix_of_a_brand_has_numbers_of_every_category(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT DISTINCT brand, prefix, category FROM numbers")
    categories = ("plain", "silver", "gold", "platinum")
    assert {tuple(row) for row in rows} == {(*pool, category) for pool in POOLS for category in categories}


async def test_the_category_is_told_by_the_digits(owner: asyncpg.Connection) -> None:
    categories = {row["msisdn"][4:]: row["category"] for row in await owner.fetch("SELECT * FROM numbers")}
    assert {categories[d] for d in categories if re.search(r"(.)\1{4}", d)} == {"platinum"}
    assert {categories[d] for d in categories if d == d[::-1]} <= {"platinum", "gold"}
    assert {categories[d] for d in categories if re.search(r"(.)\1\1$", d)} == {"platinum", "gold", "silver"}
    assert {categories[d] for d in categories if len(set(d)) == 7} == {"plain"}


async def test_any_two_digits_are_found_under_every_prefix(owner: asyncpg.Connection) -> None:
    digits: dict[tuple[str, str], list[str]] = {}
    for row in await owner.fetch("SELECT brand, prefix, substr(msisdn, 5) AS digits FROM numbers"):
        digits.setdefault((row["brand"], row["prefix"]), []).append(row["digits"])
    for pool in digits.values():
        assert [two for two in (f"{n:02}" for n in range(100)) if not any(two in each for each in pool)] == []


async def test_the_numbers_of_fewer_are_among_those_of_more(owner: asyncpg.Connection) -> None:
    fewer = set(await owner.fetch("SELECT msisdn, brand, category FROM numbers"))
    async with undone(owner):
        await seed_numbers(owner, 3_000)
        more = set(await owner.fetch("SELECT msisdn, brand, category FROM numbers"))
        await owner.execute("DELETE FROM numbers")
        await seed_numbers(owner, 3_000)
        assert set(await owner.fetch("SELECT msisdn, brand, category FROM numbers")) == more
    assert len(more) == 3_000
    assert fewer < more


async def test_a_new_number_starts_with_the_tariff_and_advance_of_its_brand(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT brand, tariff_id, advance_minor FROM number_brands ORDER BY brand DESC")
    assert [tuple(row) for row in rows] == [("activ", "activ-daytime", 0), ("Kcell", "kcell-11", 200_000)]


async def test_the_more_beautiful_a_number_the_dearer(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT category, price_minor FROM number_categories ORDER BY price_minor")
    assert [row["category"] for row in rows] == ["plain", "silver", "gold", "platinum"]
    assert [row["price_minor"] for row in rows] == [0, 500_000, 1_500_000, 5_000_000]


# --- wallets and billers ---


async def test_the_digits_3_3_14_14_lead_to_dostek(owner: asyncpg.Connection) -> None:
    row = await owner.fetchrow(
        "SELECT s.* FROM biller_services s JOIN biller_categories c USING (category_id)"
        " WHERE c.position = 14 AND c.category_id = 'other' AND s.position = 14"
    )
    assert row is not None
    assert (row["service_id"], row["account_kind"], row["account_pattern"]) == ("dostek", "inn", "[012][0-9]{13}")
    assert (row["sum_min"], row["sum_max"], row["fee_minor"], row["currency"]) == (10, 50_000, 0, "KGS")


async def test_fourteen_categories_are_printed_and_two_stand_apart(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT category_id, position FROM biller_categories ORDER BY position, category_id")
    assert [row["position"] for row in rows] == [0, 0, *range(1, 15)]
    assert [row["category_id"] for row in rows[:2]] == ["mobile", "utilities"]


async def test_each_category_has_services_numbered_from_one(owner: asyncpg.Connection) -> None:
    places: dict[str, list[int]] = {}
    for row in await owner.fetch("SELECT category_id, position FROM biller_services ORDER BY position"):
        places.setdefault(row["category_id"], []).append(row["position"])
    assert all(each == list(range(1, len(each) + 1)) for each in places.values())
    fewest = {"other": 14, "utilities": 5, "mobile": 5}
    assert len(places) == 16
    assert all(len(each) >= fewest.get(category, 3) for category, each in places.items())


async def test_a_pattern_takes_as_many_digits_as_are_told(owner: asyncpg.Connection) -> None:
    for row in await owner.fetch("SELECT * FROM biller_services"):
        begin = "996" if row["account_kind"] == "msisdn" else "1"
        fits = [count for count in range(1, 22) if re.fullmatch(row["account_pattern"], begin.ljust(count, "1"))]
        assert fits == list(range(row["digits_min"], row["digits_max"] + 1)), row["service_id"]


async def test_every_biller_has_an_account_of_the_house(owner: asyncpg.Connection) -> None:
    billers = {row[0] for row in await owner.fetch("SELECT biller FROM biller_services")}
    rows = await owner.fetch("SELECT owner, currency, stripe, balance_minor FROM accounts WHERE kind = 'biller'")
    assert {tuple(row) for row in rows} == {(biller, "KGS", 0, 0) for biller in billers}


async def test_ten_numbers_of_each_network_have_a_wallet_with_money(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT s.msisdn, a.kind, a.currency, a.balance_minor FROM wallets w JOIN subscribers s USING (subscriber_id)"
        " JOIN accounts a USING (account_id) WHERE a.subscriber_id = w.subscriber_id"
    )
    numbers = [str(first + n) for first in (996_555_000_000, 996_777_000_000) for n in range(10)]
    assert sorted(tuple(row) for row in rows) == [(number, "wallet", "KGS", BALANCE_MINOR) for number in numbers]


async def test_a_wallet_opens_with_its_known_pin(owner: asyncpg.Connection, hasher: Hasher) -> None:
    for row in await owner.fetch("SELECT msisdn, pin_hash FROM wallets JOIN subscribers USING (subscriber_id)"):
        pin = pin_of(int(row["msisdn"][-1]))
        assert not is_trivial(pin, row["msisdn"], TODAY)
        assert await hasher.like(row["pin_hash"], pin) == row["pin_hash"]


async def test_each_wallet_is_a_persons_and_no_person_has_two(owner: asyncpg.Connection) -> None:
    inns = [row["inn"] for row in await owner.fetch("SELECT inn FROM wallets")]
    assert all(is_personal_inn(inn, TODAY) for inn in inns)
    assert len(set(inns)) == 20


async def test_a_wallet_that_was_closed_stays_closed(owner: asyncpg.Connection, hasher: Hasher) -> None:
    async with undone(owner):
        await owner.execute("UPDATE wallets SET closed_at = now()")
        await seed(owner, Codes(PEPPER), hasher, KCELL, FREE)
        assert await owner.fetchval("SELECT count(*) FROM wallets WHERE closed_at IS NULL") == 0
