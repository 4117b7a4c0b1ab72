"""Dialogues that begin with us: asked for over HTTP, shown over TCP, in both roles and several dialects."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from billing.signing import key_from_file, sign
from smpp import constants
from smpp.pdu import DataSm, DeliverSm, Pdu, SubmitSm, Tlv, find_tlv
from smpp.states import Role
from stack.programs import start_engine, stop_program
from stack.settings import Settings, read_settings
from tests.conftest import REPOSITORY, RunningStack, engine_like
from tests.speaking_centre import SpeakingCentre, Telephone, with_dialect_links
from ussd_engine.dialect import read_dialects

DIALECTS = read_dialects(REPOSITORY / "dialects")
PATH = "/v1/dialogues"
SPOKEN = ("standard", "mica", "smpp-plus", "glo-data-sm", "service-type")
ALLOTTED = {
    "mica": Tlv(0x0204, b"\x01\x07"),
    "smpp-plus": Tlv(0x1501, b"\0\0\1\7"),
    "glo-data-sm": Tlv(0x1501, b"\0\0\1\7"),
}
DIAL_AGAIN = "Сеанс аяқталды. Кодты қайта теріңіз."
KCELL_NUMBER, MEGACOM_NUMBER = "77010000007", "996555000007"


class Asked(NamedTuple):
    """The answer to a request."""

    status: int
    body: dict[str, Any]


class Pusher(NamedTuple):
    """Who asks the engine to begin dialogues."""

    http: str
    key: bytes

    def post(self, body: bytes) -> Asked:
        headers = sign("billing-core", self.key, "POST", PATH, body, time.time())
        request = urllib.request.Request(f"http://{self.http}{PATH}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=45) as answer:
                return Asked(answer.status, json.load(answer))
        except urllib.error.HTTPError as error:
            is_problem = error.headers.get_content_type() == "application/problem+json"
            return Asked(error.code, json.load(error) if is_problem else {})

    async def push(self, number: str, code: str = "*111*9#", **fields: Any) -> Asked:
        wanted = {"id": str(uuid.uuid4()), "msisdn": number, "network": "kcell", "code": code, **fields}
        return await asyncio.to_thread(self.post, json.dumps(wanted).encode())


def configured(config: str, ports: dict[str, int]) -> str:
    """The text of `config.yaml` with a link a dialect and role, and routes over them."""
    changed = with_dialect_links(config, ports, "pushes.password")
    names = ", ".join(f"{who}-{name}" for name in ports for who in ("they", "we"))
    for old, new in (
        ("links: [kcell-ussdc]", f"links: [{names}]"),
        ("network: beeline-kz, dialect: standard", "network: beeline-kz, dialect: op32"),
    ):
        assert old in changed, f"config.yaml has no '{old}' any more"
        changed = changed.replace(old, new, 1)
    return changed


@pytest.fixture(scope="module")
def ports(free_port: Callable[[], int]) -> dict[str, int]:
    return {name: free_port() for name in SPOKEN}


@pytest.fixture(scope="module")
def engine(
    running_stack: RunningStack, ports: dict[str, int], free_port: Callable[[], int]
) -> Iterator[tuple[Path, Settings]]:
    config = engine_like(running_stack, "pushes", free_port)
    config.write_text(configured(config.read_text(), ports))
    (config.parent / "pushes.password").write_text("secret\n")
    child = start_engine(config)
    yield config, read_settings(config)
    stop_program(child)


@pytest.fixture(scope="module")
def pusher(engine: tuple[Path, Settings]) -> Pusher:
    config, settings = engine
    return Pusher(str(settings.engine_http), key_from_file((config.parent / ".data/keys/billing-core").read_bytes()))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def centres(engine: tuple[Path, Settings], ports: dict[str, int]) -> AsyncIterator[dict[str, SpeakingCentre]]:
    """A centre a dialect and role: `they` have bound to us, or `we` to them."""
    made = {
        f"{name}-{who}": SpeakingCentre(DIALECTS[name][0], Role.CLIENT if who == "they" else Role.SERVER)
        for name in SPOKEN
        for who in ("they", "we")
    }
    for name in SPOKEN:
        await made[f"{name}-we"].listen(ports[name])
        await made[f"{name}-they"].dial(engine[1].engine_smpp, name)
    for centre in made.values():
        await asyncio.wait_for(centre.is_bound.wait(), 60)
    yield made
    for centre in made.values():
        await centre.close()


@pytest.fixture(params=[f"{name}-{who}" for name in SPOKEN for who in ("they", "we")])
def centre(request: pytest.FixtureRequest, centres: dict[str, SpeakingCentre]) -> Iterator[SpeakingCentre]:
    found = centres[request.param]
    yield fresh(found)
    fresh(found)


@pytest.fixture
def mica(centres: dict[str, SpeakingCentre]) -> Iterator[SpeakingCentre]:
    yield fresh(centres["mica-we"])
    fresh(centres["mica-we"])


def fresh(centre: SpeakingCentre) -> SpeakingCentre:
    """As if nothing had been said to it yet."""
    for seen in (centre.screens, centre.pdus, centre.statuses):
        seen.clear()
    centre.accepts, centre.status = True, constants.ESME_ROK
    allotted = ALLOTTED.get(centre.dialect.dialect)
    centre.allots = (allotted,) if allotted is not None else ()
    return centre


async def heard_at(centre: SpeakingCentre, number: str) -> Telephone:
    """A telephone that was last heard at this centre, and is in no dialogue."""
    phone = centre.telephone(number)
    assert (await phone.dial("*111*3#")).ends
    await asyncio.sleep(0.1)
    centre.pdus.clear()
    phone.session = centre.allots[0].value if centre.allots else b""
    return phone


def op(pdu: Pdu) -> object:
    value = find_tlv(pdu, 0x0501)
    assert isinstance(pdu, SubmitSm | DeliverSm | DataSm)
    return value[0] if value else pdu.service_type


async def test_a_menu_is_begun_by_us_and_goes_on_under_the_session_that_the_peer_gave_it(
    centre: SpeakingCentre, pusher: Pusher
) -> None:
    phone = await heard_at(centre, "77010000231")
    asked = await pusher.push(phone.number)
    assert asked.status == 200, asked.body
    screen = await phone.screen()
    assert screen.text.startswith("Тіл\n1 Қазақша")
    assert (screen.ends, screen.session) == (False, b"")
    await asyncio.sleep(0.1)
    screen = await phone.send("0")
    assert screen.text.startswith("Мәзір\n1 ")
    assert screen.session == (centre.allots[0].value if centre.allots else b"")
    assert (await phone.send("3")).ends
    letters = centre.dialect.op_in == "service_type"
    assert [op(pdu) for pdu in centre.pdus[phone.number]] == (["BR", "CR", "EA"] if letters else [2, 2, 17])


async def test_a_notification_is_shown_and_its_confirmation_wants_no_screen(
    centre: SpeakingCentre, pusher: Pusher
) -> None:
    phone = await heard_at(centre, "77010000007")
    asked = await pusher.push(phone.number, notify={"kk": "Сәлем", "ru": "Привет"})
    assert asked.status == 200, asked.body
    assert (await phone.screen()).text == "Сәлем"  # the network's language: none is chosen
    phone.confirm()
    await phone.hears_nothing(0.2)
    (pdu,) = centre.pdus[phone.number]
    assert op(pdu) == ("BN" if centre.dialect.op_in == "service_type" else 3)
    assert isinstance(pdu, SubmitSm | DeliverSm | DataSm)
    assert pdu.source_addr == "*111#"
    assert (await pusher.push(phone.number, notify={"en": "Hello"})).status == 200  # it is not busy any more


async def test_a_notification_is_in_the_language_that_was_chosen(mica: SpeakingCentre, pusher: Pusher) -> None:
    phone = await heard_at(mica, "77010000234")
    assert (await pusher.push(phone.number, notify={"kk": "Сәлем", "en": "Hello"})).status == 200
    assert (await phone.screen()).text == "Hello"


async def test_an_answer_under_another_session_belongs_to_no_push(mica: SpeakingCentre, pusher: Pusher) -> None:
    phone = await heard_at(mica, "77010000007")
    await pusher.push(phone.number)
    await phone.screen()
    await asyncio.sleep(0.1)
    phone.session = b"\x09\x09"
    assert (await phone.send("0")).text == DIAL_AGAIN
    phone.session = mica.allots[0].value
    assert (await phone.send("0")).text.startswith("Мәзір\n1 ")
    phone.hang_up()


async def test_an_answer_that_comes_before_the_response_says_that_the_screen_was_seen(
    mica: SpeakingCentre, pusher: Pusher
) -> None:
    phone = await heard_at(mica, "77010000233")
    mica.accepts = False
    asking = asyncio.ensure_future(pusher.push(phone.number))
    await phone.screen()
    mica.accepts = True
    assert (await phone.send("0")).text.startswith("Мәзір\n1 ")
    assert (await asking).status == 200
    phone.hang_up()


async def test_a_number_in_a_dialogue_is_busy(mica: SpeakingCentre, pusher: Pusher) -> None:
    phone = mica.telephone("77010000234")
    await phone.dial("*111#")
    asked = await pusher.push(phone.number)
    assert (asked.status, asked.body["title"]) == (409, "Conflict")
    assert "busy" in asked.body["detail"]
    assert (await phone.send("9")).text.startswith("Language")
    phone.hang_up()
    await asyncio.sleep(0.1)
    assert (await pusher.push(phone.number)).status == 200
    assert (await pusher.push(phone.number)).status == 409  # in the dialogue that we have begun
    phone.session = mica.allots[0].value
    phone.hang_up()


async def test_a_number_whose_screen_is_on_its_way_is_busy(mica: SpeakingCentre, pusher: Pusher) -> None:
    phone = await heard_at(mica, "77010000235")
    mica.accepts = False
    asking = asyncio.ensure_future(pusher.push(phone.number, notify={"ru": "Привет"}))
    await phone.screen()
    assert (await pusher.push(phone.number, notify={"ru": "Привет"})).status == 409
    phone.confirm()
    assert (await asking).status == 200


async def test_a_request_that_comes_again_has_one_answer_and_one_dialogue(mica: SpeakingCentre, pusher: Pusher) -> None:
    phone = await heard_at(mica, "77010000236")
    name = str(uuid.uuid4())
    first, second = await asyncio.gather(*(pusher.push(phone.number, id=name) for _ in range(2)))
    assert first == second == await pusher.push(phone.number, id=name) == (200, {"id": name, "outcome": "accepted"})
    assert len(mica.pdus[phone.number]) == 1
    other = await pusher.push(phone.number, "*111#", id=name)
    assert (other.status, other.body["detail"]) == (422, "id: was used for another dialogue")
    phone.hang_up()


async def test_a_screen_that_the_peer_refuses_leaves_no_dialogue_behind(mica: SpeakingCentre, pusher: Pusher) -> None:
    phone = await heard_at(mica, "77010000237")
    mica.status = constants.ESME_RX_T_APPN
    asked = await pusher.push(phone.number)
    assert (asked.status, asked.body["detail"]) == (503, "the peer refused the screen: ESME_RX_T_APPN")
    mica.status = constants.ESME_ROK
    await asyncio.sleep(0.1)
    assert (await pusher.push(phone.number)).status == 200
    phone.session = mica.allots[0].value
    phone.hang_up()


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"notify": {"ru": "Ж" * 81}}, "notify.ru: has 81 UCS-2 units, a screen of this link holds 80"),
        ({"notify": {"en": "a" * 183}}, "notify.en: has 183 septets, a screen of this link holds 182"),
        ({"notify": {"ru": "Привет", "en": " "}}, "notify.en: must have a text"),
        ({"notify": {"no": "Hei"}}, "notify: languages are"),
        ({"notify": {}}, "notify: must have a text in a language"),
        ({"code": "*7777#"}, "code: no service of the network has it"),
        ({"code": "*#06#"}, "code: must be a dialled string"),
        ({"network": "nowhere"}, "network: no such network"),
        ({"network": "beeline-kz"}, "network: no link of its route can begin a dialogue of this kind"),
        ({"msisdn": "996555000001"}, "msisdn: must be the digits of an international number"),
        ({"msisdn": "77019999999"}, "msisdn: the number is not served"),
        ({"id": "seven"}, "id: must be a UUID"),
        ({"screen": "root"}, "Object contains unknown field `screen`"),
        ({"msisdn": 7}, "Expected `str`, got `int` - at `$.msisdn`"),
    ],
)
async def test_what_cannot_be_begun_says_why(
    mica: SpeakingCentre, pusher: Pusher, fields: dict[str, Any], detail: str
) -> None:
    asked = await pusher.push(**{"number": KCELL_NUMBER, **fields})
    assert asked.status == 422
    assert asked.body["detail"].startswith(detail)


async def test_a_body_that_is_no_json_is_refused(pusher: Pusher, mica: SpeakingCentre) -> None:
    assert (await asyncio.to_thread(pusher.post, b"{")).status == 400


async def test_a_request_without_the_right_signature_is_refused(pusher: Pusher, mica: SpeakingCentre) -> None:
    assert (await pusher._replace(key=b"x" * 32).push(KCELL_NUMBER)).status == 401


async def test_without_a_bound_link_it_is_to_be_asked_later(pusher: Pusher) -> None:
    asked = await pusher.push(MEGACOM_NUMBER, "*900#", network="megacom")
    assert (asked.status, asked.body["detail"]) == (503, "nobody is bound who could carry the screen")
