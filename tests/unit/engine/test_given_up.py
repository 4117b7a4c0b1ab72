"""What was apologised for is known for as long as it can come again, and no longer."""

from __future__ import annotations

from typing import Any, cast

from smpp.link import Link as Bind
from tests.phone_for_tests import LINK
from ussd_engine.dialect import Kind
from ussd_engine.exchange import Exchange, GivenUp
from ussd_engine.over_smpp import Message
from ussd_engine.repeats import KEPT_SECONDS


def heard(number: str, now: float) -> Exchange:
    bind = cast(Bind, type("SomeBind", (), {"name": "a"})())
    return Exchange(bind, LINK, Message(Kind.REPLY, number, "*111#", "1", 18, "1-x"), now)


def test_what_can_come_no_more_is_forgotten_and_the_rest_is_kept() -> None:
    given_up: Any = GivenUp()
    given_up.note(heard("1", 0.0), 0.0)
    given_up.note(heard("2", 50.0), 50.0)
    given_up.forget_old(KEPT_SECONDS + 1)
    assert given_up.before(heard("2", KEPT_SECONDS + 1)) is not None
    assert list(given_up._of) == ["2"]
    given_up.forget_old(50.0 + KEPT_SECONDS + 1)
    assert not given_up._of
