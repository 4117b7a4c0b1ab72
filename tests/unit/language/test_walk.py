"""Walking menus: what a subscriber sees, turn by turn."""

from __future__ import annotations

import pytest

from billing.calls import Done, NotMade, Refused, Unknown
from sessions.session import to_octets
from tests.menus_for_tests import HEAD, TERMS, Dialogue, service
from ussd_engine.language import walk
from ussd_engine.language.pages import Limits, fits
from ussd_engine.language.walk import MenuLoop

SORRY = "unknown: sorry, not_made: sorry"
SIMPLE = service("""
screens:
  root:
    menu: {ru: Корень, en: Root}
    options:
      - {id: one, text: {ru: Раз, en: One}, go: one}
      - {id: nine, key: "9", text: {ru: Девять, en: Nine}, go: ask}
      - {id: two, text: {ru: Два, en: Two}, go: bye}
  one:
    menu: {ru: Внутри, en: Inside}
    tries: {max: 2, then: bye}
    options:
      - {id: deep, text: {ru: Глубже, en: Deeper}, go: deep}
  deep:
    show: {ru: Дно, en: Bottom}
  ask:
    ask: {ru: Число?, en: Number?}
    save: number
    check: [{count: {min: 1, max: 20}, else: {ru: От 1 до 20, en: From 1 to 20}}]
    go: told
  told: {end: {ru: "Число ${number}", en: "Number ${number}"}}
  bye: {end: {ru: Пока, en: Bye}}
""")


def test_a_fixed_key_keeps_its_number_and_the_others_run_on() -> None:
    assert Dialogue(SIMPLE).dial() == "Root\n1 One\n9 Nine\n2 Two"


def test_back_and_home_appear_once_there_is_somewhere_to_go() -> None:
    talk = Dialogue(SIMPLE)
    talk.dial()
    assert talk.send("1") == "Inside\n1 Deeper\n0 Back"
    assert talk.send("1") == "Bottom\n0 Back 00 Home"
    assert talk.send("0") == "Inside\n1 Deeper\n0 Back"
    assert talk.send("1").startswith("Bottom")
    assert talk.send("00") == "Root\n1 One\n9 Nine\n2 Two"
    assert talk.send("0").startswith("No such option")


def test_wrong_input_repeats_the_question_with_the_reason_above_it() -> None:
    talk = Dialogue(SIMPLE)
    talk.dial("9")
    assert talk.send("21") == "From 1 to 20\nNumber?\n0 Back"
    assert talk.send("x").startswith("From 1 to 20\n")
    assert talk.send("20") == "Number 20"
    assert talk.ended


def test_after_the_last_try_it_leads_on() -> None:
    talk = Dialogue(SIMPLE)
    talk.dial("1")
    assert talk.send("5").startswith("No such option\nInside")
    assert talk.send("5") == "Bye"


def test_tries_are_counted_anew_on_another_visit() -> None:
    talk = Dialogue(SIMPLE)
    talk.dial("1")
    talk.send("5")
    talk.send("0")
    talk.send("1")
    assert "Inside" in talk.send("5")


@pytest.mark.parametrize("typed", [" 1 ", "1\r\n", "１", "١", "1\0"])
def test_a_key_is_understood_however_the_handset_writes_it(typed: str) -> None:
    talk = Dialogue(SIMPLE)
    talk.dial()
    assert talk.send(typed).startswith("Inside")


def test_an_empty_answer_repeats_the_screen() -> None:
    talk = Dialogue(SIMPLE)
    talk.dial("9")
    assert "Number?" in talk.send("")


def test_what_was_dialled_is_answered_step_by_step() -> None:
    assert Dialogue(SIMPLE).dial("1", "1") == "Bottom\n0 Back 00 Home"
    assert Dialogue(SIMPLE).dial("9", "7") == "Number 7"


@pytest.mark.parametrize("parts", [("", "1"), ("7", "1"), ("0",), ("98",)])
def test_dialling_stops_at_the_first_part_that_does_not_fit_without_a_reproach(parts: tuple[str, ...]) -> None:
    assert Dialogue(SIMPLE).dial(*parts) == "Root\n1 One\n9 Nine\n2 Two"


def test_dialling_stops_at_a_typed_part_that_fails_its_check() -> None:
    assert Dialogue(SIMPLE).dial("9", "99") == "Number?\n0 Back"


def test_dialled_parts_after_the_end_are_dropped() -> None:
    assert Dialogue(SIMPLE).dial("2", "1", "1") == "Bye"


def test_a_session_that_comes_in_is_never_changed() -> None:
    talk = Dialogue(SIMPLE)
    talk.dial()
    before = to_octets(talk.sessions[-1])
    walk.answer(SIMPLE, talk.sessions[-1], "1", TERMS)
    assert to_octets(talk.sessions[-1]) == before


# --- calls ----------------------------------------------------------------------------------------------------------

CALLING = service(f"""
screens:
  root:
    menu: {{ru: Корень, en: Root}}
    options:
      - id: balance
        text: {{ru: Баланс, en: Balance}}
        do: {{call: balances.get, into: account, done: told,
             refused: {{BLOCKED: {{again: {{ru: Закрыто, en: Blocked}}}}, "*": other}}, {SORRY}}}
      - {{id: language, text: {{ru: Язык, en: Language}}, go: language}}
      - {{id: route, text: {{ru: Путь, en: Route}}, go: route}}
  told: {{end: {{ru: "${{account.balance|money}}", en: "${{account.balance|money}}"}}}}
  language:
    list: {{ru: Язык, en: Language}}
    items: lists.language
    save: chosen
    do: {{call: subscribers.set_language, with: {{language: chosen.id}},
         done: {{set: {{language: chosen.id}}, go: root}}, refused: {{"*": other}}, {SORRY}}}
  route:
    route:
    do: {{call: balances.get, into: account, done: rich, refused: {{"*": other}}, {SORRY}}}
  rich:
    route:
      - {{when: account.balance.minor > 100, go: told}}
      - {{go: other}}
  other: {{end: {{ru: "Отказ ${{refused.code}}", en: "Refused ${{refused.code}}"}}}}
  sorry: {{end: {{ru: Позже, en: Later}}}}
lists:
  language:
    - {{id: ru, ru: Русский, en: Russian}}
    - {{id: en, ru: Английский, en: English}}
""")
MONEY = Done({"balance": {"minor": 150, "currency": "KZT"}, "bonuses": {"minor": 0, "currency": "KZT"}})


def test_a_call_is_returned_and_its_result_shown() -> None:
    talk = Dialogue(CALLING, {"balances.get": MONEY})
    assert talk.dial("1") == "1.50 KZT"
    assert talk.calls[0].operation == "balances.get"
    assert talk.calls[0].msisdn == "77010000007"
    assert not talk.makes[0].changes


@pytest.mark.parametrize(
    ("outcome", "screen"), [(Unknown("x"), "Later"), (NotMade("x"), "Later"), (Refused("CLOSED", {}), "Refused CLOSED")]
)
def test_every_outcome_has_its_way(outcome: Unknown | NotMade | Refused, screen: str) -> None:
    assert Dialogue(CALLING, {"balances.get": outcome}).dial("1") == screen


def test_a_refusal_can_repeat_the_screen_with_its_reason() -> None:
    talk = Dialogue(CALLING, {"balances.get": Refused("BLOCKED", {})})
    assert talk.dial("1").startswith("Blocked\nRoot")


def test_a_route_makes_its_call_and_decides_without_a_screen() -> None:
    assert Dialogue(CALLING, {"balances.get": MONEY}).dial("3") == "1.50 KZT"
    poor = Done({"balance": {"minor": 1, "currency": "KZT"}, "bonuses": {"minor": 0, "currency": "KZT"}})
    assert Dialogue(CALLING, {"balances.get": poor}).dial("3") == "Refused "


def test_dialling_never_makes_a_changing_call() -> None:
    talk = Dialogue(CALLING)
    assert talk.dial("2", "1") == "Language\n1 Russian\n2 English\n0 Back"
    assert not talk.calls


def test_by_hand_the_changing_call_is_made_and_the_language_changes() -> None:
    talk = Dialogue(CALLING, {"subscribers.set_language": Done({"language": "ru"})})
    talk.dial("2")
    assert talk.send("1").startswith("Корень\n1 Баланс")
    assert talk.makes[0].changes
    assert talk.sessions[-1].language == "ru"


def test_the_same_turn_asks_under_the_same_id_and_another_turn_under_another() -> None:
    outcome = {"subscribers.set_language": Refused("BLOCKED", {})}
    first, again = Dialogue(CALLING, outcome), Dialogue(CALLING, outcome)
    for talk in (first, again):
        talk.dial("2")
        talk.send("1")
    assert first.calls[0].id == again.calls[0].id
    later = Dialogue(CALLING, outcome)
    later.dial("2")
    later.send("7")
    later.send("1")
    assert later.calls[0].id != first.calls[0].id


def test_a_session_kept_before_a_call_can_be_resumed_by_another_process() -> None:
    talk = Dialogue(CALLING, {"subscribers.set_language": Done({"language": "ru"})})
    talk.dial("2")
    talk.send("1")
    kept = talk.makes[0].session
    step = walk.resume(CALLING, kept, Done({"language": "ru"}), TERMS)
    assert isinstance(step, walk.Show)
    assert step.text == talk.sessions[-1].shown


# --- secrets --------------------------------------------------------------------------------------------------------


def test_routes_that_only_lead_to_each_other_end_in_an_error_not_a_hang() -> None:
    looping = service("""
screens:
  root: {route: [{when: subscriber.status == 'active', go: other}, {go: bye}]}
  other: {route: [{when: subscriber.status == 'active', go: root}, {go: bye}]}
  bye: {end: {ru: Пока, en: Bye}}
""")
    with pytest.raises(MenuLoop):
        Dialogue(looping).dial()


# --- lists and pages ------------------------------------------------------------------------------------------------

ITEMS = "\n".join(f"    - {{id: i{n}, ru: Пункт номер {n}, en: Item number {n}}}" for n in range(1, 31))
LONG = service(f"""
screens:
  root:
    list: {{ru: Что?, en: What?}}
    items: lists.things
    save: thing
    go: told
  told: {{end: {{ru: "${{thing.id}} ${{thing.text}}", en: "${{thing.id}} ${{thing.text}}"}}}}
lists:
  things:
{ITEMS}
""")


def test_a_long_list_turns_pages_forth_and_back_with_numbers_running_on() -> None:
    talk = Dialogue(LONG)
    first = talk.dial(language="ru")
    assert first == "Что?\n1 Пункт номер 1\n2 Пункт номер 2\n3 Пункт номер 3\n4 Пункт номер 4\n98 Ещё"
    second = talk.send("98")
    assert second.startswith("5 Пункт номер 5\n")
    assert second.endswith("\n98 Ещё 0 Назад")
    assert talk.send("0") == first


def test_a_number_is_accepted_from_any_page() -> None:
    talk = Dialogue(LONG)
    talk.dial(language="ru")
    assert talk.send("30") == "i30 Пункт номер 30"


def test_the_last_page_has_no_more_and_98_is_wrong_there() -> None:
    talk = Dialogue(LONG)
    screen = talk.dial()
    for _ in range(20):
        if "98 More" not in screen:
            break
        screen = talk.send("98")
    assert screen.endswith("30 Item number 30\n0 Back")
    assert talk.send("98").startswith("No such option")


@pytest.mark.parametrize("typed", ["0", "31", "-1", "007", "x", "1.5"])
def test_a_number_that_is_not_in_the_list_is_wrong(typed: str) -> None:
    talk = Dialogue(LONG)
    talk.dial()
    assert talk.send(typed).startswith("No such option")


def test_a_reason_takes_its_room_from_the_page_and_nothing_is_cut() -> None:
    talk = Dialogue(LONG)
    talk.dial(language="ru")
    wrong = talk.send("77")
    assert wrong.startswith("Нет такого пункта\nЧто?\n1 Пункт")
    assert fits(wrong, Limits())


def test_a_long_text_is_cut_at_words_over_pages_and_can_be_read_back_whole() -> None:
    text = " ".join(f"слово{n}" for n in range(60))
    bye = "  bye: {end: {ru: Пока, en: Bye}}\n"
    menu = service(f"screens:\n  root: {{show: {{ru: {text}, en: x}}, tries: {{max: 3, then: bye}}}}\n{bye}")
    talk = Dialogue(menu)
    screen, read = talk.dial(language="ru"), ""
    for _ in range(30):
        assert fits(screen, Limits())
        read += screen.removesuffix(" 0 Назад").removesuffix("0 Назад").removesuffix("98 Ещё").strip() + " "
        if "98 Ещё" not in screen:
            break
        screen = talk.send("98")
    assert read.split() == text.split()


def test_a_service_closed_to_a_network_shows_its_own_screen() -> None:
    head = HEAD + "open_to: {networks: [kcell], else: bye}\n"
    menu = service("screens:\n  root: {end: {ru: Да, en: Yes}}\n  bye: {end: {ru: Нет, en: No}}\n", head)
    assert Dialogue(menu).dial() == "Yes"
    assert Dialogue(menu).dial(network="o") == "No"


# --- what dialling alone may do -------------------------------------------------------------------------------------

CHANGES = service("""
screens:
  root:
    menu: {ru: Корень, en: Root}
    options:
      - {id: go, text: {ru: Дальше, en: On}, go: change}
  change:
    route:
    do: {call: subscribers.set_language, with: {language: "'ru'"}, done: bye, refused: {"*": bye},
         unknown: bye, not_made: bye}
  bye: {end: {ru: Пока, en: Bye}}
""")


def test_a_dialled_part_never_leads_into_a_change() -> None:
    talk = Dialogue(CHANGES, {"subscribers.set_language": Done({"language": "ru"})})
    assert talk.dial("1") == "Root\n1 On"
    assert not talk.calls
    assert talk.send("1") == "Bye"
    assert len(talk.calls) == 1


def test_a_code_of_its_own_may_be_a_change() -> None:
    head = HEAD.replace("start: root", "start: change")
    menu = service("""
screens:
  change:
    route:
    do: {call: cabinet.temporary_password, done: bye, refused: {"*": bye},
         unknown: bye, not_made: bye}
  bye: {end: {ru: Пока, en: Bye}}
requires: {trust: operator, else: bye}
""", head)  # fmt: skip
    talk = Dialogue(menu, {"cabinet.temporary_password": Done({"valid_until": "2026-11-22T10:00:00Z"})})
    assert talk.dial() == "Bye"
    assert talk.makes[0].changes


# --- SMS ------------------------------------------------------------------------------------------------------------

BY_SMS = service("""
patterns:
  - {words: [BAL, БАЛАНС], go: balance}
  - {words: [LANG, ТІЛ], save: wanted, choices: {RU: ru, РУС: ru, EN: en}, go: language}
screens:
  balance:
    route:
    do: {call: balances.get, into: account, done: told, refused: {"*": help}, unknown: help, not_made: help}
  told: {end: {ru: "${account.balance|money}", en: "${account.balance|money}"}}
  language:
    route:
    do: {call: subscribers.set_language, with: {language: wanted}, done: notice, refused: {"*": help},
         unknown: help, not_made: help}
  help: {end: {ru: Помощь, en: Help}}
requires: {trust: operator, else: help}
""", HEAD.replace('dial: ["*100#"]\nstart: root', 'sms: {to: ["111"], else: help}'))  # fmt: skip


@pytest.mark.parametrize("text", ["BAL", "bal", " Bal ", "БАЛАНС", "баланс", "ВAL", "ＢＡＬ", "BAL\r\n"])
def test_a_word_is_known_whatever_its_case_width_and_look_alikes(text: str) -> None:
    assert Dialogue(BY_SMS, {"balances.get": MONEY}).sms(text) == "1.50 KZT"


@pytest.mark.parametrize("text", ["", "BALANCE?", "BAL 5", "LANG", "LANG DE", "LANG RU RU", "что"])
def test_an_unknown_text_gets_the_help(text: str) -> None:
    assert Dialogue(BY_SMS).sms(text) == "Help"


@pytest.mark.parametrize("text", ["LANG RU", "lang ru", "тіл рус"])
def test_a_change_asked_by_sms_is_answered_by_its_notice(text: str) -> None:
    talk = Dialogue(BY_SMS, {"subscribers.set_language": Done({"language": "ru"})})
    assert not talk.sms(text)
    assert talk.calls[0].by_sms
    assert talk.calls[0].arguments == {"language": "ru"}


CODES = service("""
patterns:
  - {code: code, digits: 8, go: agree}
  - {words: [STOP, СТОП, ТОҚТАТ], number: other, go: stop}
screens:
  agree:
    route:
    do: {call: delegation.confirm, with: {code: code}, done: notice,
         refused: {"*": help}, unknown: help, not_made: help}
  stop:
    route:
    do: {call: delegation.end, with: {number: other}, done: notice, refused: {"*": help}, unknown: help, not_made: help}
  help: {end: {ru: Помощь, en: Help}}
requires: {trust: operator, else: help}
""", HEAD.replace('dial: ["*100#"]\nstart: root', 'sms: {to: ["4259"], else: help}'))  # fmt: skip


@pytest.mark.parametrize(
    "text", ["12345678", " 1234 5678 ", "1234-5678", "１２３４５６７８", "12 34 56 78\r\n", "1234\u20135678"]
)
def test_a_code_is_read_whatever_stands_between_its_digits(text: str) -> None:
    talk = Dialogue(CODES, {"delegation.confirm": Done({})})
    assert not talk.sms(text)
    assert talk.calls[0].arguments == {"code": "12345678"}


def test_a_code_is_kept_nowhere() -> None:
    talk = Dialogue(CODES, {"delegation.confirm": Done({})})
    talk.sms("1234 5678")
    assert all("12345678" not in repr(session) for session in talk.sessions)
    assert talk.makes[0].has_secret


@pytest.mark.parametrize("text", ["1234567", "123456789", "12345678 please", "code 12345678", "1234567O"])
def test_what_is_no_code_of_this_length_gets_the_help(text: str) -> None:
    assert Dialogue(CODES).sms(text) == "Help"


@pytest.mark.parametrize(
    "text",
    ["STOP 87010000008", "stop 7010000008", "CTOП +7 701 000-00-08", "ТОҚТАТ 8 701 000 00 08", "ＳＴＯＰ 77010000008"],
)
def test_a_number_after_a_word_is_read_as_people_write_it(text: str) -> None:
    talk = Dialogue(CODES, {"delegation.end": Done({})})
    assert not talk.sms(text)
    assert talk.calls[0].arguments == {"number": "77010000008"}


@pytest.mark.parametrize("text", ["STOP", "STOP 12", "STOP everything", "87010000008"])
def test_a_word_without_a_number_gets_the_help(text: str) -> None:
    assert Dialogue(CODES).sms(text) == "Help"


# --- what a menu must never do to the engine ------------------------------------------------------------------------


def test_a_dialled_part_that_leads_into_a_change_stops_before_it() -> None:
    menu = service("""
screens:
  start: {route: [{go: root}]}
  root:
    menu: {ru: Корень, en: Root}
    options: [{id: go, text: {ru: Дальше, en: On}, set: {agreed: 1}, go: agreed}]
  agreed: {route: [{when: agreed == 1, go: change}, {go: bye}]}
  change:
    route:
    do: {call: extra_balance.set_auto, with: {auto: true}, done: bye, refused: {"*": bye}, unknown: bye, not_made: bye}
  bye: {end: {ru: Пока, en: Bye}}
requires: {trust: operator, else: bye}
""", HEAD.replace("start: root", "start: start"))  # fmt: skip
    talk = Dialogue(menu, {"extra_balance.set_auto": Done({"auto": True})})
    assert talk.dial("1") == "Root\n1 On"
    assert not talk.calls


def test_what_was_dialled_before_a_change_can_be_gone_back_from() -> None:
    menu = service("""
screens:
  root:
    menu: {ru: Корень, en: Root}
    options: [{id: more, text: {ru: Ещё, en: More}, go: inner}]
  inner:
    menu: {ru: Внутри, en: Inner}
    options: [{id: on, text: {ru: Включить, en: Turn on}, go: change}]
  change:
    route:
    do: {call: extra_balance.set_auto, with: {auto: true}, done: bye, refused: {"*": bye}, unknown: bye, not_made: bye}
  bye: {end: {ru: Пока, en: Bye}}
requires: {trust: operator, else: bye}
""")
    talk = Dialogue(menu)
    assert talk.dial("1", "1") == "Inner\n1 Turn on\n0 Back"
    assert talk.send("0") == "Root\n1 More"


def test_a_quote_that_only_a_pin_can_confirm_may_be_dialled_and_its_pin_may_not() -> None:
    menu = service("""
screens:
  root:
    ask: {ru: Сколько?, en: How much?}
    save: sum
    check: [{count: {min: 1, max: 900}, else: {ru: 1-900, en: 1 to 900}}]
    do: {call: wallet.quote_mobile, with: {to: subscriber.msisdn, sum: sum}, into: quote,
         done: confirm, refused: {"*": bye}, unknown: bye, not_made: bye}
  confirm:
    ask: {ru: PIN, en: PIN}
    secret: pin
    do: {call: wallet.confirm, with: {intent: quote.intent, pin: pin},
         done: bye, refused: {"*": bye}, unknown: bye, not_made: bye}
  bye: {end: {ru: Пока, en: Bye}}
requires: {trust: operator, else: bye}
""")  # fmt: skip
    kgs = {"minor": 5000, "currency": "KGS"}
    quoted = Done({"intent": "q", "sum": kgs, "fee": kgs, "repeats": False})
    talk = Dialogue(menu, {"wallet.quote_mobile": quoted, "wallet.confirm": Done({"state": "paid"})})
    assert talk.dial("50", "7391").startswith("PIN")
    assert [call.operation for call in talk.calls] == ["wallet.quote_mobile"]


def test_a_show_whose_options_need_pages_of_their_own_shows_them_all() -> None:
    options = ", ".join(f"{{id: o{n}, text: {{ru: {'вариант ' * 4}{n}, en: x}}, go: bye}}" for n in range(1, 4))
    menu = service(f"screens:\n  root: {{show: {{ru: {'слово ' * 8}, en: x}}, options: [{options}]}}\n"
                   "  bye: {end: {ru: Пока, en: Bye}}\n")  # fmt: skip
    talk = Dialogue(menu)
    seen = screen = talk.dial(language="ru")
    for _ in range(10):
        if "98 Ещё" not in screen:
            break
        screen = talk.send("98")
        seen += screen
    assert all(f"{n} вариант" in seen for n in range(1, 4))
    assert talk.send("3") == "Пока"


ACTING = service("""
screens:
  root: {route: [{when: subscriber.acting_for != null, go: theirs}, {go: own}]}
  own:
    menu: {ru: Свой, en: Own}
    options: [{id: act, key: "8", text: {ru: За другой, en: For another}, go: whose}]
  whose:
    route:
    do: {call: delegation.managed, into: found, done: list, refused: {"*": bye}, unknown: bye, not_made: bye}
  list:
    list: {ru: Чей?, en: Whose?}
    items: found.managed
    item: {ru: "${item.number|phone}", en: "${item.number|phone}"}
    save: other
    empty: bye
    set: {acting_for: other.number}
    go: home
  theirs:
    menu: {ru: Чужой, en: Theirs}
    options:
      - {id: balance, text: {ru: Баланс, en: Balance}, do: {call: balances.get, into: account, done: told,
         refused: {"*": bye}, unknown: bye, not_made: bye}}
      - {id: wallet, text: {ru: Кошелёк, en: Wallet}, do: {call: wallet.balance, into: wallet, done: bye,
         refused: {"*": bye}, unknown: bye, not_made: sorry}}
      - {id: stop, text: {ru: Свой, en: Own}, set: {acting_for: null}, go: home}
  told: {end: {ru: "${account.balance|money}", en: "${account.balance|money}"}}
  sorry: {end: {ru: Нельзя, en: Not here}}
  bye: {end: {ru: Пока, en: Bye}}
""")  # fmt: skip
MANAGED = Done({"managed": [{"id": "7", "number": "77010000008", "since": "2026-11-20T10:00:00Z"}], "agreed": []})


def test_who_acts_for_a_managed_number_sees_it_first_and_asks_the_core_about_it() -> None:
    talk = Dialogue(ACTING, {"delegation.managed": MANAGED, "balances.get": MONEY})
    assert talk.dial("8", "1") == "87010000008\n1 Balance\n2 Wallet\n3 Own"
    assert talk.send("9") == "87010000008\nNo such option\n1 Balance\n2 Wallet\n3 Own"
    assert talk.send("1") == "87010000008\n1.50 KZT"
    assert [(call.msisdn, call.by) for call in talk.calls] == [("77010000007", ""), ("77010000008", "77010000007")]


def test_a_call_that_is_not_for_who_manages_a_number_is_not_made_for_it() -> None:
    talk = Dialogue(ACTING, {"delegation.managed": MANAGED})
    talk.dial("8", "1")
    assert talk.send("2") == "87010000008\nNot here"
    assert [call.operation for call in talk.calls] == ["delegation.managed"]


def test_who_stops_acting_for_another_number_is_about_their_own_again() -> None:
    talk = Dialogue(ACTING, {"delegation.managed": MANAGED})
    talk.dial("8", "1")
    assert talk.send("3") == "Own\n8 For another"
