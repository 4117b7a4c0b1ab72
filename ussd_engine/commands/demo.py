"""The command demo: all services in the terminal, over real SMPP, against the system that `make run` has started."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvloop

from .. import phone
from ..centres import Centres, Handset, Peer
from ..config import Settings, read_settings
from ..peer_config import ServerLink
from . import CommandFailed, handset, tour

if TYPE_CHECKING:
    from . import Commands

EXAMPLES = """examples:
  ussd-engine demo                       all services, in a minute or two
  ussd-engine demo --pause 3             slower, to read along; --pause 0 as fast as it goes
  ussd-engine demo --only wallet --only sms
  ussd-engine demo --json                one JSON object a step"""

PAUSE_SECONDS = 0.6
SMS_SECONDS = 10.0
LATE_SECONDS = 30.0
TRIES_MAX = 30
_FIRST = {
    "kcell": (77010000000, 10_000),
    "beeline-kz": (77770000000, 1_000),
    "megacom": (996555000000, 1_000),
    "beeline-kg": (996777000000, 1_000),
    "o": (996700000000, 1_000),
}
"""The seeded numbers: the first of each network, and how many there are."""
_WALLETS, _BLOCKED, _NOT_ACTIVE = 10, 95, (91, 92, 95, 97)
_KEYS = {"kk": "1", "ky": "1", "ru": "2", "en": "3"}
_LANGUAGES = {"kcell": "*111*9#", "beeline-kz": "*111*9#", "megacom": "*900#", "beeline-kg": "*900#"}
_CONFIRMATION = re.compile(r"(?:аберите|Иә:|еріңіз|ype|onfirm:) ([0-9]{2})\b")


class _Unfit(Exception):
    """These people cannot play the chapter: the text says what was seen instead."""


@dataclass
class _Telephone:
    """Somebody's telephone, and what it shows."""

    handset: Handset
    n: int
    screen: str = ""
    talking: bool = False

    @property
    def typed(self) -> str:
        """The number as its country types it."""
        number = self.handset.msisdn
        return number[1:] if number.startswith("7") else "0" + number.removeprefix("996")


@dataclass
class _Guide:
    """Plays chapters, and tells what happens."""

    centres: Centres
    pause: float
    tell: Callable[[dict[str, Any]], None]
    known: dict[str, _Telephone] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    chapter: str = ""
    steps: int = 0

    async def play(self, chapter: tour.Chapter) -> None:
        """Plays a chapter, with other people when these cannot. Raises CommandFailed."""
        self.chapter = chapter.service
        self.tell({"service": chapter.service, "title": chapter.title})
        for _ in range(TRIES_MAX):
            try:
                for step in chapter.steps:
                    await self._step(step)
                return
            except _Unfit as unfit:
                self.tell({"service": chapter.service, "note": f"{unfit}: once more, with another number"})
                for who in {step.who for step in chapter.steps}:
                    self._leave(who)
        raise CommandFailed(f"the chapter {chapter.service} could not be played with any of {TRIES_MAX} numbers")

    def _leave(self, who: str) -> None:
        left = self.known.pop(who, None)
        if left is not None and left.talking:
            left.handset.hang_up()

    async def _step(self, step: tour.Step) -> None:
        person = await self._person(step.who)
        match step:
            case tour.Dial(_, code, sees):
                self._see(step, person, code, await person.handset.dial(code), sees)
            case tour.Type(_, text, sees):
                typed = self._filled(text)
                self._see(step, person, typed, await person.handset.send(typed), sees)
            case tour.Write(_, to, text):
                written = self._filled(text)
                await person.handset.write(to, written)
                self._tell(person, "writes", to=to, text=written)
            case tour.Receive(_, about):
                await self._receive(person, about)
            case tour.Late(_, why) if self.pause:
                self.tell({"service": self.chapter, "note": why})
                await self._receive(person, "", LATE_SECONDS)
        await asyncio.sleep(self.pause)

    def _see(
        self, step: tour.Dial | tour.Type, person: _Telephone, typed: str, screen: phone.Screen, sees: str
    ) -> None:
        person.screen, person.talking = screen.text, not screen.ends
        if sees not in screen.text.replace("\xa0", " "):
            raise _Unfit(f"{person.handset.msisdn} sees “{screen.text.splitlines()[0]}”")
        if found := _CONFIRMATION.search(screen.text):
            self.words["digits"] = found[1]
        hidden = "*" * len(typed) if isinstance(step, tour.Type) and step.secret else typed
        did = "dials" if isinstance(step, tour.Dial) else "types"
        self._tell(person, did, text=hidden, screen=screen.text, ends=screen.ends)

    async def _receive(self, person: _Telephone, about: str, seconds: float = SMS_SECONDS) -> None:
        while True:
            sms = await person.handset.sms(seconds)
            self._tell(person, "receives", sender=sms.sender, text=sms.text)
            if found := re.search(about, sms.text.replace("\xa0", " ")):
                if found.groups():
                    self.words["code"] = found[1]
                return

    def _tell(self, person: _Telephone, did: str, **more: object) -> None:
        self.steps += 1
        number, network = person.handset.msisdn, person.handset.network
        told = {"service": self.chapter, "step": self.steps, "network": network, "number": number, "did": did}
        self.tell(told | more)

    def _filled(self, text: str) -> str:
        numbers = {who: each.typed for who, each in self.known.items()}
        return text.format_map({**numbers, **self.words}) if "{" in text else text

    async def _person(self, who: str) -> _Telephone:
        """Who plays this part; the number is drawn when the part is played first."""
        if who not in self.known:
            person = tour.PEOPLE[who]
            first, count = _FIRST[person.network]
            n = _drawn(person.kind, count)
            found = _Telephone(self.centres.handset(person.network, str(first + n)), n)
            if person.kind == "wallet":
                self.words["pin"] = tour.PINS[n]
            if person.kind == "newcomer":
                self.words["inn"] = f"115031985{random.randrange(100_000):05}"  # noqa: S311 # nosec B311
                self.words["new_pin"] = str(random.randrange(3000, 9000))  # noqa: S311 # nosec B311
            if person.language:
                await _choose_language(found, person)
            self.known[who] = found
        return self.known[who]


def _drawn(kind: str, count: int) -> int:
    if kind == "wallet":
        return random.randrange(_WALLETS)  # noqa: S311 - a number to try with # nosec B311
    if kind == "blocked":
        return _BLOCKED + 100 * random.randrange(count // 100)  # noqa: S311 # nosec B311
    active = [n for n in range(count // 2, count) if n % 100 not in _NOT_ACTIVE]  # the others are for trying by hand
    return random.choice(active)  # noqa: S311 # nosec B311


async def _choose_language(found: _Telephone, person: tour.Person) -> None:
    """Chooses the language by the option that everybody has, without telling of it."""
    screen = await found.handset.dial(_LANGUAGES[person.network])
    if (
        screen.text.count("\n") == 2 and "\n2 " in screen.text and person.kind == "wallet"
    ):  # a dialogue that was cut off
        screen = await found.handset.send("2")
    if person.kind == "wallet":
        await found.handset.send("9")
    await found.handset.send(_KEYS[person.language])
    found.handset.hang_up()


# --- the command ------------------------------------------------------------------------------------------------------


def add(commands: Commands[argparse.ArgumentParser], config: argparse.ArgumentParser) -> None:
    """Adds the command to the parser."""
    demo = commands.add_parser(
        "demo",
        parents=[config],
        help="a guided tour of all services over real SMPP, with the SMS that arrive",
        description="Binds as the USSD centres of five networks to the system that `make run` has started, and plays\n"
        "all services: what is dialled, the screens, the SMS. Numbers are drawn anew each time: run it again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [chapter.service for chapter in tour.CHAPTERS]
    demo.add_argument(
        "--pause", type=_seconds, default=PAUSE_SECONDS, metavar="SECONDS",
        help=f"between two steps (default: {PAUSE_SECONDS:g})",
    )  # fmt: skip
    demo.add_argument(
        "--only", action="append", choices=names, metavar="CHAPTER", help=f"may be repeated: {', '.join(names)}"
    )
    demo.add_argument("--json", action="store_true", help="one JSON object a step, and nothing else")
    demo.set_defaults(run=_demo)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 60:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds from 0 to 60")
    return seconds


def _demo(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    tell = _as_json if arguments.json else _as_text
    uvloop.run(_tour(_peers(settings), arguments.pause, arguments.only, tell))
    return 0


async def _tour(
    peers: Mapping[str, Peer], pause: float, only: list[str] | None, tell: Callable[[dict[str, Any]], None]
) -> None:
    try:
        async with Centres(peers) as centres:
            guide = _Guide(centres, pause, tell)
            for chapter in tour.CHAPTERS:
                if only is None or chapter.service in only:
                    await guide.play(chapter)
    except phone.Lost as error:
        raise CommandFailed(str(error)) from None
    except ConnectionError as error:
        raise CommandFailed(f"{error}: is it running? `make run` starts it") from None


def _peers(settings: Settings) -> dict[str, Peer]:
    """The demo accounts, one a network."""
    peers: dict[str, Peer] = {}
    for link in settings.links.values():
        if isinstance(link.config, ServerLink) and link.config.demo:
            account = phone.Account(settings.engine.smpp_listen, link.config.system_id, handset.DEMO_PASSWORD)
            peers.setdefault(link.config.network, Peer(account, link.dialect))
    missing = {person.network for person in tour.PEOPLE.values()} - set(peers)
    if missing:
        raise CommandFailed(f"config.yaml has no demo account of {', '.join(sorted(missing))}")
    return peers


def _as_json(told: dict[str, Any]) -> None:
    if "step" in told:
        print(json.dumps(told, ensure_ascii=False), flush=True)


def _as_text(told: dict[str, Any]) -> None:
    if "title" in told:
        print(f"\n━━ {told['title']} " + "━" * max(2, 76 - len(told["title"])))
    elif "note" in told:
        print(f"  … {told['note']}")
    elif told["did"] == "receives":
        print(f"  ✉ SMS to {told['number']} from {told['sender']}: {told['text']}")
    elif told["did"] == "writes":
        print(f"\n{told['number']} ({told['network']}) sends an SMS to {told['to']}: {told['text'].strip()}")
    else:
        print(f"\n{told['number']} ({told['network']}) {told['did']} {told['text']}")
        print("\n".join(handset.boxed(told["screen"])))
    print(end="", flush=True)
