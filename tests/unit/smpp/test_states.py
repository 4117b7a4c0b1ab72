"""Who may send what when: the table against section 2.2 of the specification, state by state."""

from __future__ import annotations

from smpp import constants as c
from smpp.pdu import BY_COMMAND_ID
from smpp.states import BOUND, MAY_SEND, Role, State

ESME, CENTRE = Role.CLIENT, Role.SERVER
WATCH = {c.UNBIND, c.ENQUIRE_LINK}
TO_CENTRE = {c.SUBMIT_SM, c.SUBMIT_MULTI, c.DATA_SM, c.QUERY_SM, c.CANCEL_SM, c.REPLACE_SM}
TO_ESME = {c.DELIVER_SM, c.DATA_SM, c.ALERT_NOTIFICATION}


def test_before_the_bind_an_esme_may_bind_and_a_centre_may_ask_for_it() -> None:
    assert MAY_SEND[ESME, State.OPEN] == c.BINDS | {c.ENQUIRE_LINK}
    assert MAY_SEND[ESME, State.OUTBOUND] == c.BINDS | {c.ENQUIRE_LINK}
    assert MAY_SEND[CENTRE, State.OPEN] == {c.OUTBIND, c.ENQUIRE_LINK}


def test_a_transmitter_submits_and_is_delivered_nothing() -> None:
    assert MAY_SEND[ESME, State.BOUND_TX] == WATCH | TO_CENTRE
    assert MAY_SEND[CENTRE, State.BOUND_TX] == WATCH


def test_a_receiver_is_delivered_to_and_submits_nothing() -> None:
    assert MAY_SEND[ESME, State.BOUND_RX] == WATCH
    assert MAY_SEND[CENTRE, State.BOUND_RX] == WATCH | TO_ESME


def test_a_transceiver_does_both() -> None:
    assert MAY_SEND[ESME, State.BOUND_TRX] == WATCH | TO_CENTRE
    assert MAY_SEND[CENTRE, State.BOUND_TRX] == WATCH | TO_ESME


def test_after_the_end_nobody_sends_requests() -> None:
    for state in (State.UNBOUND, State.CLOSED):
        assert not MAY_SEND[ESME, state]
        assert not MAY_SEND[CENTRE, state]


def test_every_request_of_the_protocol_has_its_place_in_the_table() -> None:
    requests = {command for command in BY_COMMAND_ID if not command & c.RESPONSE}
    assert requests == set().union(*MAY_SEND.values())
    assert {State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX} == BOUND
