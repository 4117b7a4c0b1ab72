"""What may be written down about a number."""

from __future__ import annotations

import pytest

from masking import Masker


def test_a_number_keeps_its_last_four_digits_and_one_mask() -> None:
    masker = Masker(b"k" * 32)
    mask = masker.msisdn("77010000007")
    assert mask.startswith("…0007/")
    assert mask == masker.msisdn("77010000007") != masker.msisdn("77020000007")
    assert mask != Masker(b"j" * 32).msisdn("77010000007")


def test_a_log_record_never_carries_the_number() -> None:
    event = Masker(b"k" * 32).log_processor(None, "info", {"event": "x", "msisdn": "77010000007"})
    assert "7701000" not in str(event)


def test_two_texts_are_told_apart_and_cannot_be_tried_out_without_the_key() -> None:
    masker = Masker(b"k" * 32)
    assert masker.text(b"8305") == masker.text(b"8305") != masker.text(b"8306")
    assert masker.text(b"8305") != Masker(b"j" * 32).text(b"8305")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 octets"):
        Masker(b"short")
