"""Links as they are set and seen: limits laid over one another, a wrong password of ours, what the documents say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from smpp import constants as c
from smpp.codec import encode
from smpp.errors import BindRefused
from smpp.limits import Limits
from smpp.pdu import SubmitSm
from strict_yaml import StrictYamlError
from ussd_engine.config import Settings, read_settings
from ussd_engine.link_states import LinkStates
from ussd_engine.trace import described

ROOT = Path(__file__).resolve().parents[3]
LINK = "kcell-ussdc"


def settings(tmp_path: Path, common: str, own: str) -> Settings:
    text = (ROOT / "config.yaml").read_text().replace("  limits: {} ", f"  limits: {common} ")
    text = text.replace(" dialects: dialects ", f" dialects: {ROOT / 'dialects'} ")
    text = text.replace("      binds_max: 4 ", f"      limits: {own}\n      binds_max: 4 ", 1)
    config = tmp_path / "config.yaml"
    config.write_text(text)
    return read_settings(config)


def test_a_link_s_limits_lie_over_those_of_all_links(tmp_path: Path) -> None:
    read = settings(tmp_path, "{window_out: 20, per_second: 5}", "{per_second: 0.5}")
    assert read.links[LINK].limits == Limits(window_out=20, per_second=0.5)
    assert read.links["o-ussdc"].limits == read.limits == Limits(window_out=20, per_second=5)


@pytest.mark.parametrize(
    "wrong", ["{window_uot: 5}", "{window_out: 0}", "{per_second: -1}", "{connect_seconds: soon}", "{window_in: 300}"]
)
def test_a_limit_that_is_none_is_refused_with_its_place(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(StrictYamlError) as refused:
        settings(tmp_path, "{}", wrong)
    (mistake,) = refused.value.mistakes
    assert mistake.place.file.endswith("config.yaml")
    assert mistake.place.line > 1


def test_the_document_lists_every_limit_with_its_default() -> None:
    page = (ROOT / "docs/smpp.md").read_text()
    for field in dataclasses.fields(Limits):
        shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
        assert f"| `{field.name}` | {shown} |" in page


def test_a_wrong_password_of_ours_is_an_alarm_until_we_are_bound() -> None:
    states = LinkStates(read_settings(ROOT / "config.yaml").links, lambda: 0.0, lambda: 0.0)
    states.not_bound(LINK, BindRefused(c.ESME_RTHROTTLED))
    assert not states[LINK].wrong_account
    states.not_bound(LINK, BindRefused(c.ESME_RINVPASWD))
    assert states[LINK].wrong_account
    assert states.told(LINK, 0)["last_error"] == "bind refused: ESME_RINVPASWD"
    states.bound(LINK)
    assert not states[LINK].wrong_account


def test_a_trace_of_octets_that_are_no_pdu_says_so() -> None:
    assert described(b"HTTP")["command"] == "none"
    assert described(bytes.fromhex("00000010000001120000000000000007"))["unreadable"] == "PduError"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("*900*1*7373#", "*900…"), ("*900#", "*900…"), ("900*7373", "900…"), ("900", "900"), ("4259", "4259"),
        ("ELSOM", "ELSOM"), ("77010000007", "…0007"), ("*7373#", "<6 characters>"), ("7373", "<4 characters>"),
        ("*48210375*7373#", "<15 characters>"), ("Kcell 7373", "<10 characters>"), ("#7373", "<5 characters>"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["source_addr", "destination_addr"])
def test_a_trace_shows_codes_and_short_numbers_of_ours_and_nothing_else_that_was_dialled(
    field: str, address: str, shown: str
) -> None:
    pdu = SubmitSm(**{field: address})  # type: ignore[arg-type]
    assert described(encode(pdu), {"900", "4259", "ELSOM"})[field] == shown


def test_a_trace_shows_the_service_type_where_it_is_a_word() -> None:
    assert described(encode(SubmitSm(service_type="USSD")))["service_type"] == "USSD"
    assert described(encode(SubmitSm(service_type="7373")))["service_type"] == "<4 characters>"
