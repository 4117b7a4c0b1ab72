"""Every dialect, octet for octet, in both roles; and what an operator can write in one, and get wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from masking import Masker
from smpp.codec import decode, encode
from smpp.pdu import DataSm, DeliverSm, SubmitSm, Tlv, find_tlv
from smpp.states import Role
from strict_yaml import StrictYamlError, read_file, read_text
from ussd_engine import centre_side, over_smpp
from ussd_engine.dialect import Dialect, Kind, overridden, read_dialects
from ussd_engine.dialect_values import Added, Op, Tag
from ussd_engine.over_smpp import Message, Thread

ROOT = Path(__file__).resolve().parents[3]
DIALECTS = read_dialects(ROOT / "dialects")
DATA = {path.stem: read_file(path).plain() for path in sorted((ROOT / "tests/data/dialects").glob("*.yaml"))}
NUMBER, CODE = "77010000007", "*111#"
MASKER = Masker(b"k" * 32)
ROLES = {"esme": Role.CLIENT, "server": Role.SERVER}
OTHER_ROLE = {Role.CLIENT: Role.SERVER, Role.SERVER: Role.CLIENT}
WORDS = {Kind.BEGIN: "begin", Kind.REPLY: "reply", Kind.ABORT: "abort", Kind.NOTIFIED: "notified"}

STEPS = ("begin", "ask", "reply", "end", "abort", "timeout")
"""`timeout`: the network itself ends the dialogue, in the words that this dialect has for it."""
PUSHES = ("push", "push_reply", "notify", "notified")


class Step(NamedTuple):
    """One PDU of the table."""

    name: str
    fields: dict[str, Any]
    octets: bytes


def table() -> list[Any]:
    return [pytest.param(name, role, id=f"{name}-{role}") for name in DATA for role in ROLES]


def steps(name: str, role: str) -> list[Step]:
    return [Step(each["step"], each, bytes.fromhex(each["octets"])) for each in DATA[name][role]]


def dialect(name: str = "standard", **fields: str) -> Dialect:
    """The dialect with fields of a link laid over it, each in YAML."""
    over = read_text("\n".join(f"{key}: {value}" for key, value in fields.items()).encode(), "link.yaml")
    made = overridden(DIALECTS[name][1], over if fields else None, [])
    assert made is not None
    return made


def mistakes_of(**fields: str) -> list[str]:
    over = read_text("\n".join(f"{key}: {value}" for key, value in fields.items()).encode(), "link.yaml")
    found: list[Any] = []
    overridden(DIALECTS["standard"][1], over, found)
    return [str(each) for each in found]


def read(spoken: Dialect, *tlvs: Tlv, text: bytes = b"", **fields: Any) -> Message:
    pdu = SubmitSm(
        **{"source_addr_ton": 1, "source_addr": NUMBER, "destination_addr": CODE, "sequence_number": 7, **fields},
        short_message=text, tlvs=tlvs,
    )  # fmt: skip
    return over_smpp.read_message(pdu, spoken, "KZ", MASKER)


def op(value: int) -> Tlv:
    return Tlv(0x0501, bytes((value,)))


def session_of(step: Step, spoken: Dialect) -> bytes:
    """What a handset answers under: the session that stands in the octets, without the bit that ends it."""
    if spoken.envelope is not None:
        return bytes.fromhex(step.fields["reference"])
    key = spoken.session
    value = find_tlv(decode(step.octets), key.tlv.number) if key is not None else None
    if key is None or not value:
        return b""
    return value if key.form == "whole" else value[:-1] + bytes((value[-1] & 0xFE,))


def test_every_dialect_has_its_octets() -> None:
    assert set(DATA) == set(DIALECTS)
    assert len(DATA) == 12
    for name, (spoken, _) in DIALECTS.items():
        wanted = STEPS if spoken.ops.push is None else STEPS + PUSHES
        for role in ROLES:
            assert tuple(step.name for step in steps(name, role)) == wanted, (name, role)


@pytest.mark.parametrize(("name", "role"), table())
def test_a_dialect_is_spoken_to_the_octet(name: str, role: str) -> None:
    spoken = DIALECTS[name][0]
    thread = over_smpp.UNTIED
    for step in steps(name, role):
        if "in" in step.fields:
            pdu = decode(step.octets)
            assert isinstance(pdu, SubmitSm | DeliverSm | DataSm)
            message = over_smpp.read_message(pdu, spoken, "KZ", MASKER)
            expected = Kind(step.fields["in"]), NUMBER, CODE, step.fields["text"], step.fields["reference"]
            heard = message.kind, message.msisdn, message.code, message.text, message.thread.reference
            assert heard == expected, step.name
            thread = message.thread
        else:
            ends, pushes = step.name in ("end", "notify"), step.name in ("push", "notify")
            bound = over_smpp.UNTIED if pushes else thread
            text = step.fields["text"]
            pdu = over_smpp.screen_pdu(text, ends, NUMBER, CODE, spoken, ROLES[role], bound, pushes)
            number = int.from_bytes(step.octets[12:16], "big")
            assert encode(pdu.numbered(number)).hex() == step.octets.hex(), step.name


@pytest.mark.parametrize(("name", "role"), table())
def test_what_was_typed_cannot_be_tried_out_on_its_mark_without_the_key(name: str, role: str) -> None:
    for step in steps(name, role):
        if "in" in step.fields:
            pdu = decode(step.octets)
            assert isinstance(pdu, SubmitSm | DeliverSm | DataSm)
            one, other = (
                over_smpp.read_message(pdu, DIALECTS[name][0], "KZ", Masker(key * 32)) for key in (b"k", b"j")
            )
            is_peers_count = one.counted and one.kind is not Kind.BEGIN
            assert (one.mark == other.mark) is is_peers_count, step.name


@pytest.mark.parametrize(("name", "role"), table())
def test_handsets_of_ours_speak_every_dialect_too(name: str, role: str) -> None:
    spoken = DIALECTS[name][0]
    for step in steps(name, role):
        number = int.from_bytes(step.octets[12:16], "big")
        if "in" not in step.fields:
            heard = centre_side.heard(decode(step.octets), spoken)  # type: ignore[arg-type]
            assert heard is not None
            assert (heard.number, heard.text) == (NUMBER, step.fields["text"])
            assert heard.ends is (step.name in ("end", "notify")), step.name
        elif step.name != "timeout":
            kind = Kind(step.fields["in"])
            session, side = session_of(step, spoken), OTHER_ROLE[ROLES[role]]
            pdu = centre_side.said(kind, NUMBER, CODE, step.fields["text"], spoken, session, side)
            assert pdu is not None
            if step.name == "reply" and name == "tata":  # which may be either: a handset of ours says the first
                assert find_tlv(pdu, 0x0501) == b"\x02"
            assert encode(pdu.numbered(number)).hex() == step.octets.hex(), step.name


def test_a_session_goes_on_under_the_octets_of_our_screen() -> None:
    counted = DIALECTS["spec"][0]
    screen = over_smpp.screen_pdu("Menu", False, NUMBER, CODE, counted, Role.SERVER, Thread("05", 126))
    heard = centre_side.heard(screen, counted)
    assert heard is not None
    assert heard.session == bytes((5, 127 << 1))
    again = over_smpp.screen_pdu("Menu", False, NUMBER, CODE, counted, Role.SERVER, Thread("05", 127))
    assert find_tlv(again, 0x1383) == bytes((5, 0))  # seven bits


@pytest.mark.parametrize("name", ["comviva", "op32", "tata"])
def test_a_dialect_without_push_refuses_one(name: str) -> None:
    with pytest.raises(ValueError, match="no push"):
        over_smpp.screen_pdu("Hello", True, NUMBER, CODE, DIALECTS[name][0], Role.SERVER, pushes=True)


# --- reading --------------------------------------------------------------------------------------------------------


def test_the_end_bit_of_the_session_word_is_an_abort_in_every_dialect_with_operations() -> None:
    for name in DIALECTS.keys() - {"comviva", "service-type"}:
        assert read(DIALECTS[name][0], op(18), Tlv(0x1383, b"\x05\x03")).kind is Kind.ABORT, name


@pytest.mark.parametrize("octets", [b"\x12", b"\x00\x12", b"\x00\x00\x00\x12"])
def test_an_op_of_more_octets_than_one_is_read_by_its_last(octets: bytes) -> None:
    assert read(dialect(), Tlv(0x0501, octets)).kind is Kind.REPLY


@pytest.mark.parametrize("octets", [b"\x07", b"\x00\x07", b"\x00\x00\x07", b"\x00\x00\x00\x07"])
@pytest.mark.parametrize("name", ["mica", "eyeline"])
def test_a_message_reference_is_echoed_as_wide_as_it_came(name: str, octets: bytes) -> None:
    thread = read(dialect(name), op(1), Tlv(0x0204, octets)).thread
    pdu = over_smpp.screen_pdu("Menu", False, NUMBER, CODE, dialect(name), Role.CLIENT, thread)
    assert find_tlv(pdu, 0x0204) == octets


def test_where_the_peer_counts_a_repeat_is_known_on_every_connection() -> None:
    def mark(session: bytes, sequence: int, value: int = 18, text: bytes = b"1") -> str:
        message = read(dialect("spec"), op(value), Tlv(0x1383, session), text=text, sequence_number=sequence)
        assert message.counted
        return message.mark

    assert mark(b"\x05\x02", 1) == mark(b"\x05\x02", 99)
    assert mark(b"\x05\x02", 1) == mark(b"\x05\x02", 2, text=b"2")  # one answer per screen: the first counts
    assert len({mark(b"\x05\x02", 1), mark(b"\x05\x04", 1), mark(b"\x06\x02", 1)}) == 3
    assert mark(b"\x05\x00", 1, 1, b"*111#") != mark(b"\x05\x00", 1, 1, b"*222#")  # eight bits come again soon


def test_a_counting_peer_that_leaves_its_session_out_is_known_by_its_sequence_numbers() -> None:
    message = read(dialect("spec"), op(18))
    assert not message.counted
    assert message.mark.startswith("7-")


def test_where_the_peer_counts_an_end_is_known_by_its_own_sequence_number() -> None:
    first, later = (read(dialect("spec"), op(18), Tlv(0x1383, b"\x05\x03"), sequence_number=n) for n in (7, 8))
    assert first.kind is Kind.ABORT
    assert not first.counted  # a session number of 8 bits comes again, and so does its count
    assert first.mark != later.mark


def test_the_code_may_be_in_the_text_while_the_address_is_empty() -> None:
    message = read(dialect("mica"), op(1), text=b"*111*3#", destination_addr="")
    assert str(over_smpp.dialled(message, dialect("mica"))) == "*111*3#"


@pytest.mark.parametrize(
    ("place", "expected"), [("either", "*500*111*3#"), ("text", "*111*3#"), ("destination", "*500#")]
)
def test_where_the_code_is_read_from_is_a_field(place: str, expected: str) -> None:
    spoken = dialect(code_in=place)
    message = read(spoken, op(1), text=b"111*3#", destination_addr="500")
    assert str(over_smpp.dialled(message, spoken)) == expected


@pytest.mark.parametrize("service_type", ["", "USSD", "CMT", "br"])
def test_a_service_type_without_two_letters_of_an_operation_is_an_sms(service_type: str) -> None:
    assert read(dialect("service-type"), service_type=service_type).kind is Kind.SMS


def test_two_letters_that_nobody_has_named_are_an_unknown_operation() -> None:
    message = read(dialect("service-type"), service_type="XY")
    assert (message.kind, message.op) == (Kind.UNKNOWN, "XY")


@pytest.mark.parametrize("text", [b"BAL", b"1|", b"1|100", b"1|100:!!", b"x|100:MQ==", b"1|a:MQ==", b"12345|1:MQ=="])
def test_a_text_that_is_no_envelope_is_an_sms(text: bytes) -> None:
    assert read(dialect("comviva"), text=text).kind is Kind.SMS


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", [2, 5, 7, 0x0F, 0x7F, 0xF4, 0xFF])
def test_an_unknown_data_coding_is_read_as_the_default_alphabet(coding: int) -> None:
    assert read(dialect(), op(18), text=b"42", data_coding=coding).text == "42"


@pytest.mark.parametrize(
    ("reads", "coding", "octets", "text"),
    [
        ("{'15': ucs2}", 15, "Да".encode("utf-16-be"), "Да"), ("{'8': utf8}", 8, "Да".encode(), "Да"),
        ("{'4': gsm}", 4, b"\x00\x11", "@_"), ("{'0': latin1}", 0, b"\xe9", "é"),
    ],
)  # fmt: skip
def test_a_link_may_say_what_a_data_coding_means(reads: str, coding: int, octets: bytes, text: str) -> None:
    spoken = dialect(data_coding=f"{{reads: {reads}}}")
    assert read(spoken, op(18), text=octets, data_coding=coding).text == text


@pytest.mark.parametrize(
    ("sent", "text", "octets", "coding"),
    [
        ("gsm", "é{", b"\x05\x1b\x28", 0), ("latin1", "é{", b"\xe9{", 0), ("ascii", "é{", b"?{", 0),
        ("utf8", "Да", "Да".encode(), 0), ("latin1", "Да", b"\x04\x14\x04\x30", 8),
    ],
)  # fmt: skip
def test_what_data_coding_0_means_in_what_we_send_is_a_field(sent: str, text: str, octets: bytes, coding: int) -> None:
    spoken = dialect(data_coding=f"{{sent: {sent}}}")
    pdu = over_smpp.screen_pdu(text, True, NUMBER, CODE, spoken, Role.CLIENT)
    assert isinstance(pdu, SubmitSm)
    assert (pdu.short_message, pdu.data_coding) == (octets, coding)
    heard = centre_side.heard(pdu, spoken)
    assert heard is not None
    assert heard.text == ("?{" if sent == "ascii" else text)


@pytest.mark.parametrize("sent", ["gsm", "utf8"])
def test_no_surrogate_is_cut_in_two(sent: str) -> None:
    pdu = over_smpp.screen_pdu("Да😀", True, NUMBER, CODE, dialect(data_coding=f"{{sent: {sent}}}"), Role.SERVER)
    assert isinstance(pdu, DeliverSm)
    assert pdu.short_message.decode("utf-16-be" if sent == "gsm" else "utf-8") == "Да?"


def test_half_a_surrogate_and_half_an_escape_are_read_and_refuse_nothing() -> None:
    assert read(dialect(), op(18), text=b"\x00\x31\xd8\x3d", data_coding=8).text == "1\ufffd"
    assert read(dialect(), op(18), text=b"1\x1b").text == "1 "


def test_a_text_too_long_for_short_message_travels_in_message_payload() -> None:
    text = "é" * 150
    pdu = over_smpp.screen_pdu(text, True, NUMBER, CODE, dialect(data_coding="{sent: utf8}"), Role.SERVER)
    assert isinstance(pdu, DeliverSm)
    assert (pdu.short_message, find_tlv(pdu, 0x0424)) == (b"", text.encode())


# --- fields ---------------------------------------------------------------------------------------------------------


OVERRIDES: dict[str, tuple[str, object]] = {  # a field → what a link writes, and what the dialect then has
    "ops.begin": ("[4]", (Op(4),)), "ops.reply": ("[20, 21]", (Op(20), Op(21))), "ops.abort": ("[]", ()),
    "ops.network_abort": ("[130]", (Op(130),)), "ops.ask": ("33", Op(33)), "ops.end": ("32", Op(32)),
    "ops.push": ("34", Op(34)), "ops.notify": ("35", Op(35)), "ops.notified": ("[36]", (Op(36),)),
    "op_in": ("service_type", "service_type"),
    "limits.septets": ("160", 160), "limits.ucs2_units": ("70", 70),
    "waits.application_seconds": ("15", 15), "waits.user_seconds": ("30", 30), "waits.session_seconds": ("120", 120),
    "session.tlv": ("'0x1501'", Tag(0x1501)), "session.form": ("counted", "counted"),
    "session.closes": ("false", False), "session.octets": ("4", 4),
    "code_in": ("text", "text"), "pdu": ("data_sm", "data_sm"), "text_in": ("message_payload", "message_payload"),
    "when_busy": ("screen", "screen"),
    "echoes": ("['0x1502']", (Tag(0x1502),)),
    "adds": ("[{tlv: dest_bearer_type, octets: '04'}]", (Added(Tag(7), b"\4"),)),
    "envelope.msisdn": ("200", 200), "envelope.input": ("209", 209), "envelope.session": ("210", 210),
    "envelope.status": ("216", 216), "envelope.flow": ("217", 217), "envelope.answer": ("221", 221),
    "envelope.new": ("223", 223), "envelope.answer_type": ("3", 3), "envelope.answer_status": ("'00'", "00"),
    "service_type": ("MENU", "MENU"),
    "source.ton": ("3", 3), "source.npi": ("9", 9), "destination.ton": ("2", 2), "destination.npi": ("8", 8),
    "data_coding.gsm": ("15", 15), "data_coding.ucs2": ("72", 72), "data_coding.sent": ("latin1", "latin1"),
    "data_coding.reads": ("{'4': ucs2}", {"4": "ucs2"}),
    "default_alphabet": ("utf8", "utf8"),
    "sms.split": ("sar", "sar"), "sms.alphabet": ("ascii", "ascii"),
    "sms.message_ids.response": ("hexadecimal", "hexadecimal"), "sms.message_ids.receipt": ("decimal", "decimal"),
    "sms.message_ids.leading_zeros_matter": ("false", False), "sms.message_ids.case_matters": ("false", False),
}  # fmt: skip
BY_LETTERS = """{begin: [BR], reply: [CA], abort: [AF], network_abort: [EF], ask: CR, end: EA,
  push: BR, notify: BN, notified: [ZZ]}"""


def fields_of(part: object, path: str = "") -> dict[str, object]:
    """Every field that can be written in YAML, those of its parts too, and what it has."""
    if not dataclasses.is_dataclass(part) or hasattr(part, "from_yaml"):
        return {path: part}
    found: dict[str, object] = {}
    for field in dataclasses.fields(part):
        if field.init:
            found |= fields_of(getattr(part, field.name), f"{path}.{field.name}".strip("."))
    return found


def with_that_part(path: str) -> str:
    """A dialect that has the part in which this field is: a session, an envelope."""
    return {"session": "sixdee", "envelope": "comviva"}.get(path.partition(".")[0], "standard")


def test_no_field_is_missing_among_those_that_a_link_may_override() -> None:
    known = set[str]().union(*(fields_of(DIALECTS[name][0]) for name in ("standard", "sixdee", "comviva")))
    assert set(OVERRIDES) == known - {"dialect", "session", "envelope"}  # its name; and parts that a dialect lacks
    assert {path.partition(".")[0] for path in OVERRIDES} == {
        field.name for field in dataclasses.fields(Dialect) if field.init and field.name != "dialect"
    }


@pytest.mark.parametrize("path", OVERRIDES)
def test_a_link_may_override_every_field(path: str) -> None:
    written, expected = OVERRIDES[path]
    first, *inner = path.split(".")
    for key in reversed(inner):
        written = f"{{{key}: {written}}}"
    name = with_that_part(path)
    before = fields_of(DIALECTS[name][0])
    others = {"ops": BY_LETTERS} if path == "op_in" else {}  # which says where operations are: these are other ones
    after = fields_of(dialect(name, **{first: written, **others}))
    assert before[path] != expected
    assert after[path] == expected
    changed = {each for each in before if before[each] != after[each]}
    assert {each for each in changed if not others or not each.startswith("ops.")} == {path}


def test_the_limits_that_a_link_overrides_are_those_of_its_screens() -> None:
    assert dialect(limits="{septets: 160, ucs2_units: 70}").screen == (160, 70)


def test_what_a_link_overrides_is_in_the_octets_of_its_screens() -> None:
    spoken = dialect(
        session="{tlv: '0x1501', octets: 4}", echoes="['0x1502']", adds="[{tlv: dest_bearer_type, octets: '04'}]",
        text_in="message_payload", service_type="MENU", ops="{end: 32}", source="{ton: 3, npi: 9}",
        destination="{ton: 2, npi: 8}", data_coding="{gsm: 15}",
    )  # fmt: skip
    thread = read(spoken, op(1), Tlv(0x1501, b"\0\0\0\1"), Tlv(0x1502, b"401")).thread
    pdu = over_smpp.screen_pdu("Bye", True, NUMBER, CODE, spoken, Role.CLIENT, thread)
    tlvs = op(32), Tlv(7, b"\4"), Tlv(0x1501, b"\0\0\0\1"), Tlv(0x1502, b"401"), Tlv(0x0424, b"Bye")
    assert pdu == SubmitSm("MENU", 3, 9, CODE, 2, 8, NUMBER, data_coding=15, tlvs=tlvs)


@pytest.mark.parametrize("role", [Role.CLIENT, Role.SERVER])
def test_a_link_may_have_its_screens_in_data_sm(role: Role) -> None:
    pdu = over_smpp.screen_pdu("Да", True, NUMBER, CODE, dialect(pdu="data_sm", data_coding="{ucs2: 72}"), role)
    tlvs = op(17), Tlv(0x0424, b"\x04\x14\x04\x30")
    assert pdu == DataSm("USSD", 0, 1, CODE, 1, 1, NUMBER, data_coding=72, tlvs=tlvs)


def test_decimal_17_is_not_hexadecimal_0x17() -> None:
    pdu = over_smpp.screen_pdu("Bye", True, NUMBER, CODE, dialect(), Role.CLIENT)
    assert find_tlv(pdu, 0x0501) == b"\x11"
    (mistake,) = mistakes_of(ops="{end: '0x17'}")
    assert mistake == "link.yaml:1:12: op 0x17 in hexadecimal. Write 23, in decimal."
    with pytest.raises(StrictYamlError, match=r"link.yaml:1:12: 0x17 is a number only in some readers"):
        read_text(b"ops: {end: 0x17}", "link.yaml")


@pytest.mark.parametrize(
    ("fields", "column", "what", "cure"),
    [
        ("ops: {begin: [256]}", 15, "'256' is no operation", "Write 0 to 255, or up to 5 letters where"),
        ("ops: {begin: [18]}", 6, "op 18 has two meanings", "Give it one."),
        ("ops: {ask: CR}", 6, "op 'CR' cannot stand in ussd_service_op", "Write decimal numbers of ussd_service_op."),
        ("ops: {notify: null}", 6, "`notified` without `notify`", "Name the operation of a notification too."),
        ("ops: {begin: []}", 6, "`ops` without a begin or a reply", "Name at least one value of each."),
        ("session: {tlv: its_session_inf}", 16, "'its_session_inf' is no tag", "Did you mean 'its_session_info'?"),
        ("session: {tlv: 5377}", 16, "'5377' is no tag", 'Write a name of SMPP 3.4, or "0x1501" in quotes.'),
        ("session: {tlv: '0x1501', closes: true}", 10, "`closes` needs a bit for it", "Write `form: end_bit` or"),
        ("session: {tlv: '0x1501', form: word}", 32, "'word' is not one of the choices", "Write whole or end_bit or"),
        ("adds: [{tlv: '0x0007'}]", 8, "a TLV is its tag and its octets", "Write {tlv: dest_bearer_type, octets:"),
        ("adds: [{tlv: '0x0007', octets: '4'}]", 32, "'4' is no octets", "Write 1 to 32 octets of two digits each"),
        ("data_coding: {reads: {'256': gsm}}", 23, "'256' is no data_coding", "Write 0 to 255, in decimal."),
        ("pdu: deliver_sm", 6, "'deliver_sm' is not one of the choices", "Write submit_sm or data_sm."),
        ("service_type: SERVICE", 15, "service_type 'SERVICE'", "At most 5 ASCII characters."),
        ("sesion: {}", 1, "unknown key 'sesion'", "Did you mean 'session'?"),
    ],
)
def test_a_mistake_has_its_place_and_its_cure(fields: str, column: int, what: str, cure: str) -> None:
    key, _, value = fields.partition(": ")
    (mistake,) = mistakes_of(**{key: value})
    assert mistake.startswith(f"link.yaml:1:{column}: {what}. {cure}")


def test_operations_of_letters_stand_where_letters_are_read() -> None:
    found = mistakes_of(op_in="service_type")
    assert all(each.endswith("cannot stand in service_type. Write it as text, in quotes.") for each in found)
    assert len(found) == 10
    assert "`op_in: envelope` and `envelope:` go together. Write both, or neither." in mistakes_of(op_in="envelope")[-1]


def test_no_dialect_is_known_by_its_name() -> None:
    for path in (ROOT / "ussd_engine").rglob("*.py"):
        assert ".dialect ==" not in path.read_text(), path


def test_a_dialect_and_its_file_have_one_name(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_bytes((ROOT / "dialects/op32.yaml").read_bytes())
    with pytest.raises(StrictYamlError, match=r"dialect 'op32' in other.yaml. Name both alike."):
        read_dialects(tmp_path)
