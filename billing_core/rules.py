"""The numbers by which services are given: settings of `billing_core:` in `config.yaml`, each explained there.

Rules of this file: a number of hours, tries or messages that an operator may want to change is a setting with its
default here; what the contract fixes (lengths, codes) is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from strict_yaml import Range


@dataclass(frozen=True)
class CabinetRules:
    """The section `cabinet:`: passwords of the personal cabinet."""

    temporary_hours: Annotated[int, Range(1, 168)] = 24
    temporary_a_minute_max: Annotated[int, Range(1, 60)] = 1
    temporary_an_hour_max: Annotated[int, Range(1, 1000)] = 3
    temporary_a_day_max: Annotated[int, Range(1, 1000)] = 5
    temporary_of_all_a_minute_max: Annotated[int, Range(1, 1_000_000)] = 300
    sim_hours_min: Annotated[int, Range(0, 720)] = 72
    wrong_in_a_row_max: Annotated[int, Range(1, 10)] = 3
    wrong_in_all_max: Annotated[int, Range(1, 99)] = 9
    lock_minutes: Annotated[int, Range(1, 1440)] = 30


@dataclass(frozen=True)
class InboxRules:
    """The section `inbox:`: SMS that come in."""

    messages_an_hour_max: Annotated[int, Range(1, 10_000)] = 20


@dataclass(frozen=True)
class VoucherRules:
    """The section `vouchers:`."""

    wrong_a_day_max: Annotated[int, Range(1, 100)] = 5


@dataclass(frozen=True)
class RequestRules:
    """The section `requests:`: call me, pay for me, free SMS."""

    a_day_max: Annotated[int, Range(1, 99)] = 10
    to_one_a_day_max: Annotated[int, Range(1, 99)] = 3
    reaching_one_a_day_max: Annotated[int, Range(1, 99)] = 10
    free_sms_a_day_max: Annotated[int, Range(1, 99)] = 15


@dataclass(frozen=True)
class NoticeRules:
    """The section `notices:`: what is told without being asked for."""

    low_balance_below: Annotated[int, Range(0, 99_999)] = 100
    quiet_from_hour: Annotated[int, Range(0, 23)] = 22
    quiet_to_hour: Annotated[int, Range(0, 23)] = 8


@dataclass(frozen=True)
class HelpRules:
    """The section `help:`: fault reports, addresses by SMS, statements."""

    open_tickets_max: Annotated[int, Range(1, 99)] = 3
    sms_a_day_max: Annotated[int, Range(1, 99)] = 10
    identity_tries_a_day_max: Annotated[int, Range(1, 99)] = 3
    statement_code_minutes: Annotated[int, Range(1, 60)] = 10


@dataclass(frozen=True)
class NumberRules:
    """The section `numbers:`: reservations."""

    fee: Annotated[int, Range(0, 99_999)] = 500
    ussd_hours: Annotated[int, Range(1, 720)] = 72
    other_hours: Annotated[int, Range(1, 720)] = 24
    other_a_month_max: Annotated[int, Range(1, 1000)] = 10
    wrong_codes_max: Annotated[int, Range(1, 10)] = 3


@dataclass(frozen=True)
class DelegationRules:
    """The section `delegation:`: letting somebody else manage a number."""

    code_hours: Annotated[int, Range(1, 168)] = 24
    wrong_confirmations_max: Annotated[int, Range(1, 10)] = 3
    pause_minutes: Annotated[int, Range(1, 1440)] = 60
    wrong_activations_max: Annotated[int, Range(1, 10)] = 3
    managed_max: Annotated[int, Range(1, 9)] = 9
    codes_a_minute_max: Annotated[int, Range(1, 60)] = 1
    codes_an_hour_max: Annotated[int, Range(1, 1000)] = 3
    codes_a_day_max: Annotated[int, Range(1, 1000)] = 5
    sim_hours_min: Annotated[int, Range(0, 720)] = 72


@dataclass(frozen=True)
class WalletRules:
    """The section `wallet:`."""

    wrong_in_a_row_max: Annotated[int, Range(1, 10)] = 3
    wrong_in_all_max: Annotated[int, Range(1, 99)] = 9
    lock_minutes: Annotated[int, Range(1, 1440)] = 30
    pin_change_minutes: Annotated[int, Range(1, 60)] = 5
    repeat_minutes: Annotated[int, Range(0, 1440)] = 10
    transfer_min: Annotated[int, Range(1, 999_999)] = 10
    transfer_max: Annotated[int, Range(1, 999_999)] = 50_000
    statements_a_day_max: Annotated[int, Range(1, 99)] = 3
    sim_hours_min: Annotated[int, Range(0, 720)] = 72
    people_after_minutes: Annotated[int, Range(1, 1440)] = 15


@dataclass(frozen=True)
class KeepingRules:
    """The section `keeping:`: after how many days personal data is forgotten."""

    notices_days: Annotated[int, Range(1, 3650)] = 30
    inbox_days: Annotated[int, Range(1, 3650)] = 30
    tries_days: Annotated[int, Range(32, 3650)] = 40
    charged_numbers_days: Annotated[int, Range(90, 3650)] = 91
    payments_days: Annotated[int, Range(90, 3650)] = 1095
    documents_days: Annotated[int, Range(1, 3650)] = 1825


@dataclass(frozen=True)
class Rules:
    """All of them."""

    cabinet: CabinetRules = field(default_factory=CabinetRules)
    inbox: InboxRules = field(default_factory=InboxRules)
    vouchers: VoucherRules = field(default_factory=VoucherRules)
    requests: RequestRules = field(default_factory=RequestRules)
    notices: NoticeRules = field(default_factory=NoticeRules)
    help: HelpRules = field(default_factory=HelpRules)
    numbers: NumberRules = field(default_factory=NumberRules)
    delegation: DelegationRules = field(default_factory=DelegationRules)
    wallet: WalletRules = field(default_factory=WalletRules)
    keeping: KeepingRules = field(default_factory=KeepingRules)
