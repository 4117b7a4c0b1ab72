"""Bugs that are known to be made, each as the change of one place in our source, and the tests that must see it.

Rules of this file:
- The old text stands in its file exactly once, or the bug is refused loudly: it has to be planted anew.
- The tests named are the fewest that must fail; of a file, or one of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_CORE: Final = "tests/integration/billing_core"
_ENGINE: Final = "tests/integration/engine"


class Planted(NamedTuple):
    """One bug: in `file`, `old` becomes `new`; at least one of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PLANTED: Final = (
    Planted(
        "the answer is given before its commit",
        "billing_core/idempotency.py",
        "        await transaction.commit()\n",
        "        asyncio.get_running_loop().call_later(0.2, asyncio.ensure_future, transaction.commit())\n",
        (f"{_CORE}/test_core_idempotency.py::test_the_engine_s_client_gets_the_stored_answer_when_it_asks_again",),
    ),
    Planted(
        "a commit that is acknowledged before it is on disk",
        "billing_core/database.py",
        "            await refuse_unsafe(connection)\n",
        '            await connection.fetchval("SELECT 1")\n',
        (f"{_CORE}/test_core_schema.py",),
    ),
    Planted(
        "an id of its own for each try of a call",
        "billing/calls.py",
        'uuid.uuid5(_CALLS, f"{session_id}\\n{turn_number}\\n{operation}")',
        "uuid.uuid4()",
        (
            f"{_ENGINE}/test_turn.py"
            "::test_an_engine_killed_in_such_a_call_asks_again_under_the_same_id_when_the_input_is_repeated",
            "tests/unit/billing/test_billing_calls.py",
        ),
    ),
    Planted(
        "a silent biller is taken for one that refuses",
        "billing_core/domains/payments.py",
        "await connection.execute(_ASK_LATER, intent_id, why[:200], _AGAIN_SECONDS_MAX)",
        "await self._give_back(connection, row)",
        (f"{_CORE}/test_core_payments.py::test_a_biller_that_never_answers_leaves_it_reserved_for_people",),
    ),
    Planted(
        "it is looked whether a call is there, and then it is inserted",
        "billing_core/idempotency.py",
        "fingerprint, by_msisdn) VALUES ($1, $2, $3, $4, nullif($5, ''))\nON CONFLICT (call_id) DO NOTHING\n",
        "fingerprint, by_msisdn) SELECT $1, $2, $3, $4, nullif($5, '')\n"
        "WHERE NOT EXISTS (SELECT FROM calls WHERE call_id = $1)\n",
        (f"{_CORE}/test_core_idempotency.py::test_the_same_id_many_times_in_parallel_has_one_effect_and_one_answer",),
    ),
    Planted(
        "a biller is asked by everybody who confirms",
        "billing_core/domains/payments.py",
        "WHERE intent_id = $1 AND state = 'reserved' AND tries = 0\n",
        "WHERE intent_id = $1 AND state = 'reserved'\n",
        (f"{_CORE}/test_core_payments.py::test_of_two_hundred_confirmations_of_one_payment_the_biller_hears_once",),
    ),
    Planted(
        "a wrong PIN whose count is rolled back",
        "billing_core/guessing.py",
        'return Counted(Refused(self._wrong_code, {"tries_left": left}))',
        'raise Outdated(f"{left}")',
        (
            f"{_CORE}/test_core_wallet.py::test_three_wrong_pins_in_a_row_lock_the_wallet_for_half_an_hour_and_an_sms_says_so",
        ),
    ),
    Planted(
        "a PIN is compared before its try is counted",
        "billing_core/guessing.py",
        "        [(in_row, in_all)] = await connection.fetch(self._count, who.id)\n"
        "        matching = [each for each in holding if hmac.compare_digest(typed[each].hash, each)]\n",
        "        matching = [each for each in holding if hmac.compare_digest(typed[each].hash, each)]\n"
        "        [(in_row, in_all)] = await connection.fetch(self._count, who.id)\n",
        ("tests/unit/billing/test_core_guessing.py",),
    ),
    Planted(
        "a wrong activation code costs no try",
        "billing_core/domains/delegation.py",
        'return Counted(Refused("WRONG_CODE", {"tries_left": max(0, left)}))',
        'return Refused("WRONG_CODE", {"tries_left": max(0, left)})',
        (f"{_CORE}/test_core_delegation.py::test_three_wrong_activation_codes_void_it_and_no_other",),
    ),
    Planted(
        "the session is kept after the call",
        "ussd_engine/taking.py",
        "            if step.changes:\n                kept = await self._keep_before_call(session)\n",
        "            if step.changes and step is None:\n                kept = await self._keep_before_call(session)\n",
        (f"{_ENGINE}/test_turn.py::test_the_session_is_kept_before_a_changing_call_is_made",),
    ),
    Planted(
        "a confirmation is taken after “not paid” was told",
        "billing_core/intents.py",
        '    if row["state"] != "quoted":\n',
        '    if row["state"] not in ("quoted", "expired"):\n',
        (f"{_CORE}/test_core_payments.py::test_what_was_told_not_paid_stays_so_when_the_clock_goes_back",),
    ),
    Planted(
        "a quote that is too old pays",
        "billing_core/intents.py",
        '    if row["expires_at"] <= who.now:\n',
        '    if row["expires_at"] > who.now and row["state"] == "expired":\n',
        (f"{_CORE}/test_core_payments.py::test_a_quote_holds_for_three_minutes_and_then_pays_nothing",),
    ),
    Planted(
        "“not paid” is told before the fence",
        "billing_core/sweeper.py",
        '        await intents.fence(connection, row["intent_id"], row["now"])\n',
        "        found = await connection.fetchrow(\n"
        '            "SELECT intent_id, subscriber_id, terms, sum_minor, currency FROM intents WHERE intent_id = $1",\n'
        '            row["intent_id"],\n'
        "        )\n"
        "        await intents.tell_not_paid(connection, found)\n"
        "    return False\n",
        (f"{_CORE}/test_core_payments.py::test_what_was_told_not_paid_stays_so_when_the_clock_goes_back",),
    ),
    Planted(
        "an amount that is no whole number",
        "billing_core/domains/wallet_quotes.py",
        "        sum_minor = _whole(call) * 100\n",
        "        sum_minor = _whole(call) * 100.0\n",
        (f"{_CORE}/test_core_payments.py::test_a_payment_is_done_with_a_code_on_the_screen_and_by_sms",),
    ),
    Planted(
        "two subscribers are locked in the order in which they come",
        "billing_core/who.py",
        "    rows = await connection.fetch(_LOCKED_TOGETHER, list(dict.fromkeys(numbers)))\n",
        "    rows = [row for each in dict.fromkeys(numbers) for row in await connection.fetch(_LOCKED, each)]\n",
        (f"{_CORE}/test_core_payments.py::test_two_who_send_each_other_money_at_once_do_not_wait_for_each_other",),
    ),
    Planted(
        "a repeat is walked a second time",
        "ussd_engine/repeats.py",
        "        if session is None or session.input_mark != self._mark:\n",
        "        if session is None or session.input_mark != self._mark or not session.ended:\n",
        (f"{_ENGINE}/test_turn.py::test_a_repeat_in_the_middle_of_a_dialogue_goes_no_further",),
    ),
    Planted(
        "a repeat of the last input is told to dial again",
        "ussd_engine/repeats.py",
        "        if session is None or session.input_mark != self._mark:\n",
        "        if session is None or session.input_mark != self._mark or session.ended:\n",
        (f"{_ENGINE}/test_turn.py::test_a_repeat_of_an_answer_gets_the_same_screen_and_is_walked_once",),
    ),
    Planted(
        "a session is saved whatever lies there",
        "sessions/redis_store.py",
        "  if expected ~= '' and (not old or ",
        "  if expected == '-' and (not old or ",
        ("tests/integration/sessions/test_redis_store.py::test_a_save_finds_the_state_it_expects_or_does_nothing",),
    ),
    Planted(
        "a session without an end",
        "sessions/redis_store.py",
        "redis.call('SET', key, octets, 'PX', milliseconds)",
        "redis.call('SET', key, octets)",
        ("tests/integration/sessions/test_redis_store.py::test_every_key_expires",),
    ),
    Planted(
        "a request of any age is served",
        "billing/signing.py",
        "    if abs(age := now - second) > skew_seconds_max:\n",
        "    if abs(age := now - second) > 1e9 * skew_seconds_max:\n",
        ("tests/unit/billing/test_billing_signing.py",),
    ),
    Planted(
        "a signature is compared octet by octet",
        "billing/signing.py",
        "[hmac.compare_digest(_signature(key, *signed), signature) for key in tried]",
        "[_signature(key, *signed) == signature for key in tried]",
        ("tests/unit/billing/test_billing_signing.py",),
    ),
    Planted(
        "a notice is written outside of the transaction of its fact",
        "billing_core/notices.py",
        "    await connection.execute(_WRITE, row, subscriber_id, event, written, sealed, valid, not_before)\n",
        '    later = __import__("asyncio").get_running_loop().call_later\n'
        "    values = (row, subscriber_id, event, written, sealed, valid, not_before)\n"
        '    later(0.05, lambda: __import__("asyncio").ensure_future(connection.execute(_WRITE, *values)))\n',
        (f"{_CORE}/test_core_notices.py::test_a_change_that_is_rolled_back_takes_its_notice_along",),
    ),
    Planted(
        "an SMS is accepted before the core's commit",
        "ussd_engine/reception.py",
        "        if verdict.accepted:\n",
        "        if verdict is not None:\n",
        ("tests/unit/engine/test_reception.py",),
    ),
    Planted(
        "an SMS is done under another id each time it comes",
        "ussd_engine/sms_turn.py",
        "            id=inbox_id, msisdn",
        "            id=self.ports.new_id(), msisdn",
        ("tests/unit/engine/test_sms_turn.py::test_a_repeat_has_the_same_calls_and_one_answer",),
    ),
    Planted(
        "a secret lies in the session",
        "ussd_engine/language/walk.py",
        "                arguments[name] = secrets[operand.path[0]]\n",
        "                arguments[name] = plain[name] = secrets[operand.path[0]]\n",
        ("tests/unit/language/test_properties.py::test_property_08_a_secret_goes_into_its_argument_and_nowhere_else",),
    ),
    Planted(
        "what was dialled and is not walked yet lies in the session",
        "ussd_engine/taking.py",
        "replace(kept, parts=())",
        "kept",
        (f"{_ENGINE}/test_turn.py::test_what_was_dialled_and_is_not_walked_yet_is_not_kept",),
    ),
    Planted(
        "a call with a secret is made again",
        "ussd_engine/core_calls.py",
        "outcome = await self._status(call) if make.has_secret else await self._repeat(call)",
        "outcome = await self._repeat(call)",
        (f"{_ENGINE}/test_turn.py",),
    ),
    Planted(
        "a connection that broke twice is called not made",
        "billing/http_client.py",
        "            if isinstance(attempt.outcome, NotMade):\n",
        "            if not isinstance(attempt.outcome, NotMade | Unknown):\n",
        (
            "tests/unit/billing/test_billing_http_client.py"
            "::test_not_done_said_of_the_second_try_says_nothing_about_the_first",
        ),
    ),
    Planted(
        "a refusal that does not stay",
        "billing_core/idempotency.py",
        "        return await _store_refusal(connection, call, undone.refused)\n",
        "        return undone.refused\n",
        (f"{_CORE}/test_core_idempotency.py::test_a_refusal_stays_when_its_reason_is_gone",),
    ),
    Planted(
        "the fee is dropped from the entries",
        "billing_core/domains/payments.py",
        'moves = {held: -total, biller: row["sum_minor"], fees: row["fee_minor"]}',
        'moves = {held: -total, biller: row["sum_minor"] + 0 * fees}',
        (f"{_CORE}/test_core_payments.py::test_a_fee_leaves_the_wallet_with_the_sum_and_stays_with_the_house",),
    ),
    Planted(
        "the fee goes to the biller",
        "billing_core/domains/payments.py",
        'moves = {held: -total, biller: row["sum_minor"], fees: row["fee_minor"]}',
        "moves = {held: -total, biller: total, fees: 0}",
        (f"{_CORE}/test_core_payments.py::test_a_fee_leaves_the_wallet_with_the_sum_and_stays_with_the_house",),
    ),
    Planted(
        "who was banned while they waited is evaluated",
        "ussd_engine/accounts.py",
        "            if not self.admits(peer_ip):  # banned while it waited\n                return False\n",
        "",
        ("tests/unit/engine/test_accounts.py",),
    ),
    Planted(
        "a temporary password for whoever asks often",
        "billing_core/calendar.py",
        "    return max((wait for wait in waits if wait > who.now), default=None)\n",
        "    return min((wait for wait in waits if wait < who.now and not waits), default=None)\n",
        (f"{_CORE}/test_core_cabinet.py::test_one_a_minute_three_an_hour_and_when_again",),
    ),
    Planted(
        "a notice is sent after its time",
        "billing_core/relay.py",
        "n.try_at <= statement_timestamp() AND n.not_after > statement_timestamp()\n",
        "n.try_at <= statement_timestamp()\n",
        (f"{_CORE}/test_core_relay.py::test_what_is_too_old_is_not_taken_up_though_nobody_has_swept_it_yet",),
    ),
)
"""All of them."""
