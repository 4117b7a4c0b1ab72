"""How a peer wants SMS: the part `sms:` of a dialect (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from smpp.receipt import IdPolicy
from smpp.segments import Way
from smpp.text import Alphabet


@dataclass(frozen=True)
class SmsDialect:
    """What a peer expects of the SMS that we give it, and how it speaks of them afterwards."""

    split: Way = "udh8"
    """How a text that is too long for one message is carried (SMPP 3.4 sections 5.2.12, 5.3.2.22-24, 5.3.2.32)."""
    alphabet: Alphabet = "gsm"
    """What `data_coding.gsm` means to the peer in SMS that we send; what is not in it goes in UCS-2."""
    message_ids: IdPolicy = field(default_factory=IdPolicy)
    """How the peer spells the id of a message in its response, and how in the receipt's text."""
