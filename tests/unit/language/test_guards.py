"""What stands before a screen, an option or a service: needs that are settled first, who may pass, maintenance."""
# ruff: noqa: E501 - a menu in a line is read better than one in three

from __future__ import annotations

from billing.calls import Done, Outcome
from tests.menus_for_tests import HEAD, TERMS, Dialogue, service
from ussd_engine.language import leads

REST = 'refused: {"*": bye}, unknown: bye, not_made: bye'
CLUB = f"""
needs:
  member: {{when: visit.member == true, settle: ask_the_core}}
screens:
  root:
    menu: {{ru: Клуб, en: Club}}
    options:
      - {{id: bar, text: {{ru: Бар, en: Bar}}, go: bar}}
      - {{id: help, text: {{ru: Помощь, en: Help}}, go: bye}}
  bar:
    menu: {{ru: Бар, en: Bar}}
    needs: [member]
    options: [{{id: end, text: {{ru: Конец, en: End}}, go: bye}}]
  ask_the_core:
    route:
    do: {{call: shop.visit, into: visit, done: member_or_not, {REST}}}
  member_or_not: {{route: [{{when: visit.member == true, go: wanted}}, {{go: name}}]}}
  name:
    ask: {{ru: Имя?, en: Name?}}
    save: name
    check: [{{text: {{min: 2, max: 30}}, else: {{ru: Нет., en: "No."}}}}]
    do: {{call: shop.join, with: {{name: name}}, done: joined, {REST}}}
  joined: {{route: [{{go: ask_the_core}}]}}
  bye: {{end: {{ru: Пока, en: Bye}}}}
"""


class Core(dict[str, Outcome]):
    """A core that says each time something else about who is a member."""

    def __init__(self, *members: bool) -> None:
        super().__init__({"shop.join": Done({})})
        self.members = list(members)

    def __missing__(self, name: str) -> Outcome:
        return Done({"member": self.members.pop(0)})


def visit(*members: bool) -> Dialogue:
    talk = Dialogue(service(CLUB))
    talk.outcomes = Core(*members)
    return talk


def test_who_needs_nothing_more_sees_the_screen_at_once() -> None:
    talk = visit(True)
    talk.dial()
    assert talk.send("1") == "Bar\n1 End\n0 Back"


def test_what_a_screen_needs_is_settled_first_and_then_it_is_shown() -> None:
    talk = visit(False, True)
    talk.dial()
    assert talk.send("1") == "Name?\n0 Back"
    assert talk.send("Aigul") == "Bar\n1 End\n0 Back 00 Home"
    assert [call.operation for call in talk.calls] == ["shop.visit", "shop.join", "shop.visit"]


def test_dialling_through_goes_on_behind_what_was_settled_without_asking() -> None:
    assert visit(True).dial("1", "1") == "Bye"
    assert visit(False).dial("1", "1") == "Name?\n0 Back"


def test_a_screen_that_was_only_needed_elsewhere_is_not_gone_back_to() -> None:
    talk = visit(False)
    talk.dial()
    talk.send("1")
    assert talk.send("0") == "Club\n1 Bar\n2 Help"


GUARDED = """
screens:
  root:
    menu: {ru: Меню, en: Menu}
    options:
      - {id: money, text: {ru: Деньги, en: Money}, requires: {trust: operator, else: not_here}, go: money}
      - {id: news, text: {ru: Новости, en: News}, maintenance: {ru: Позже., en: Later.}, go: news}
      - {id: debt, text: {ru: Долг, en: Debt}, go: debt}
  money: {menu: {ru: Деньги, en: Money}, requires: {trust: partner, else: not_here}, options: [{id: e, text: {ru: Э, en: E}, go: bye}]}
  news: {menu: {ru: Новости, en: News}, maintenance: {ru: Ещё позже., en: Much later.}, options: [{id: e, text: {ru: Э, en: E}, go: bye}]}
  debt: {menu: {ru: Долг, en: Debt}, requires: {status: [active], else: barred}, options: [{id: e, text: {ru: Э, en: E}, go: bye}]}
  not_here: {end: {ru: Не отсюда., en: Not from here.}}
  barred: {end: {ru: Долг., en: You owe.}}
  bye: {end: {ru: Пока, en: Bye}}
"""


def guarded(trust: str = "operator", status: str = "active", *off: str) -> Dialogue:
    talk = Dialogue(service(GUARDED), terms=TERMS._replace(trust=trust, off=frozenset(off)))
    talk.dial(status=status)
    return talk


def test_an_option_and_a_screen_ask_for_the_trust_of_the_link() -> None:
    assert guarded().send("1") == "Money\n1 E\n0 Back"
    assert guarded("partner").send("1") == "Not from here."
    assert guarded("none").send("1") == "Not from here."


def test_a_screen_asks_for_the_status_of_the_number() -> None:
    assert guarded().send("3") == "Debt\n1 E\n0 Back"
    assert guarded("operator", "barred").send("3") == "You owe."


def test_dialling_through_meets_the_same_guards() -> None:
    menu = service(GUARDED)
    assert Dialogue(menu, terms=TERMS._replace(trust="none")).dial("1", "1") == "Not from here."
    assert Dialogue(menu, terms=TERMS._replace(off=frozenset(["test/root/news"]))).dial("2", "1") == "Later."
    assert Dialogue(menu).dial("2", "1") == "Bye"


def test_what_is_switched_off_says_its_own_text_and_ends() -> None:
    talk = guarded("operator", "active", "test/root/news")
    assert talk.send("2") == "Later."
    assert talk.ended
    assert guarded("operator", "active", "test/news").send("2") == "Much later."
    assert list(leads.switches(service(GUARDED))) == ["test/root/news", "test/news"]


def test_a_whole_service_can_be_guarded_and_switched_off() -> None:
    head = HEAD + "requires: {status: [active, barred], else: bye}\nmaintenance: {ru: Ремонт., en: Works.}\n"
    menu = service("screens:\n  root: {end: {ru: Да, en: It is}}\n  bye: {end: {ru: Нет, en: Not for you}}\n", head)
    assert Dialogue(menu).dial() == "It is"
    assert Dialogue(menu).dial("5") == "It is"
    assert Dialogue(menu, terms=TERMS._replace(off=frozenset(["test"]))).dial() == "Works."
    assert Dialogue(menu).dial(status="closed") == "Not for you"
