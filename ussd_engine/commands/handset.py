"""Commands of a handset in the terminal: dial and sms, over real SMPP; and a conversation saved as a test."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from billing.contract import OPERATIONS

from .. import compiler, dial_string, menu_folder, operator_side, phone
from ..config import Link, Settings, read_settings
from ..dialect import Dialect
from ..language import sample, talk_files
from ..language.catalog import Catalog, check_files
from ..language.leads import calls_of
from ..msisdn import TON_INTERNATIONAL, from_address
from ..peer_config import Address, ServerLink
from . import CommandFailed, operate

if TYPE_CHECKING:
    from . import Commands

EXAMPLES = """examples:
  ussd-engine dial '*111*3#' --from 77010000007           one screen, as a phone shows it
  ussd-engine dial '*111#'                                interactive: type answers, an empty line hangs up
  ussd-engine dial '*111#' --send 9 --send 2 --json       a fixed talk, for scripts
  ussd-engine dial '*111#' --save language                also write it as a test: menus/talks/language.yaml"""

DEMO_PASSWORD = "secret"  # noqa: S105 - of the demo account, which production refuses # nosec B105


def add(commands: Commands[argparse.ArgumentParser], config: argparse.ArgumentParser) -> None:
    """Adds the commands to the parser."""
    dial = commands.add_parser(
        "dial",
        parents=[config],
        help="dial a code as a handset would, over real SMPP",
        description="Binds as a USSD centre, dials, and shows the screens. Exit code 0 only if the service ended it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    dial.add_argument("code", help="what to dial, in quotes: '*111*3#'")
    dial.add_argument("--send", action="append", default=None, metavar="TEXT", help="an answer; may be repeated")
    dial.add_argument("--save", metavar="NAME", help="write the conversation as a test: menus/talks/NAME.yaml")
    _handset_options(dial, 1.5)
    dial.set_defaults(run=_dial)
    sms = commands.add_parser(
        "sms",
        parents=[config],
        help="send an SMS to a short number as a handset would, and show the answer",
        description="Binds as an SMSC, sends an SMS in, and shows what comes back. Exit code 0 only if an answer came.",
    )
    sms.add_argument("number", help="the short number: 111")
    sms.add_argument("text", help="the SMS, in quotes")
    _handset_options(sms, 5.0)
    sms.set_defaults(run=_sms)


def _handset_options(parser: argparse.ArgumentParser, sms_seconds: float) -> None:
    parser.add_argument(
        "--from", dest="msisdn", default="77010000007", help="the handset's number, E.164 digits (default: 77010000007)"
    )
    parser.add_argument("--json", action="store_true", help="the whole talk as one JSON object")
    parser.add_argument("--smpp", metavar="HOST:PORT", help="where to bind (default: engine.smpp_listen)")
    parser.add_argument("--system-id", help="account (default: the first demo account of the number's country)")
    parser.add_argument("--password", default=DEMO_PASSWORD, help="its password (default: the demo account's)")
    parser.add_argument(
        "--sms-seconds", type=float, default=sms_seconds, help=f"how long to wait for SMS (default: {sms_seconds:g})"
    )


def _dial(arguments: argparse.Namespace) -> int:
    quiet = arguments.json
    settings = read_settings(arguments.config)
    account, dialect = _account(arguments, settings)
    if arguments.save:
        _check_name(settings, arguments.save)
        operate.ask(settings, operator_side.RECORDING_BEGIN_PATH, arguments.msisdn)
    answer = _fixed(arguments.send) if arguments.send is not None or quiet else _typed()
    conversation = uvloop.run(
        phone.converse(account, dialect, arguments.msisdn, arguments.code, answer, _shown(quiet), arguments.sms_seconds)
    )
    if arguments.save:
        recorded = operate.ask(settings, operator_side.RECORDING_TAKE_PATH, arguments.msisdn)
        print(
            f"saved as {_save(settings, _link(arguments, settings), arguments.save, conversation, recorded)}",
            file=sys.stderr,
        )
    return _told(conversation, quiet, len(arguments.send or ()))


def _sms(arguments: argparse.Namespace) -> int:
    account, dialect = _account(arguments, read_settings(arguments.config))
    conversation = uvloop.run(
        phone.send_sms(
            account, dialect, arguments.msisdn, arguments.number, arguments.text, _shown(arguments.json),
            arguments.sms_seconds,
        )
    )  # fmt: skip
    return _told(conversation, arguments.json, 1)


def _shown(quiet: bool) -> Callable[[phone.Screen | phone.ShortMessage], None]:
    def show(came: phone.Screen | phone.ShortMessage) -> None:
        if quiet:
            return
        if isinstance(came, phone.ShortMessage):
            print(f"  SMS from {came.sender}: {came.text}", flush=True)
        else:
            _print_screen(came)

    return show


def _told(conversation: phone.Conversation, quiet: bool, sends: int) -> int:
    if quiet:
        print(json.dumps(_as_json(conversation), ensure_ascii=False))
    else:
        _print_end(conversation, sends)
    return 0 if conversation.ended_properly else 1


def _account(arguments: argparse.Namespace, settings: Settings) -> tuple[phone.Account, Dialect]:
    link = _link(arguments, settings)
    address = settings.engine.smpp_listen
    if arguments.smpp:
        host, _, port = arguments.smpp.rpartition(":")
        if not host or not port.isdigit():
            raise CommandFailed("--smpp takes HOST:PORT, as 127.0.0.1:2775")
        address = Address(host, int(port))
    return phone.Account(address, link.config.system_id, arguments.password), link.dialect


def _link(arguments: argparse.Namespace, settings: Settings) -> Link:
    """The link as whose peer the handset's centre binds: the one that was named, or a demo account."""
    if not arguments.msisdn.isdigit():
        raise CommandFailed("--from takes E.164 digits, as 77010000007")
    links = settings.links.values()
    if arguments.system_id:
        link = next((each for each in links if each.config.system_id == arguments.system_id), None)
    else:
        demos = [each for each in links if isinstance(each.config, ServerLink) and each.config.demo]
        link = next((each for each in demos if _is_of(arguments.msisdn, each, settings)), next(iter(demos), None))
    if link is None:
        raise CommandFailed("config.yaml has no such account: --system-id names that of a `role: server` link")
    return link


def _is_of(number: str, link: Link, settings: Settings) -> bool:
    """The number is one of the country of the link's network."""
    country = settings.engine.networks[link.config.network].country
    return from_address(number, TON_INTERNATIONAL, country) == number


def _fixed(sends: list[str] | None) -> Callable[[phone.Screen], Awaitable[str | None]]:
    """Answers from the command line, then hangs up."""
    left = list(sends or ())

    async def answer(_screen: phone.Screen) -> str | None:
        return left.pop(0) if left else None

    return answer


def _typed() -> Callable[[phone.Screen], Awaitable[str | None]]:
    """Answers from the terminal; an empty line or the end of input hangs up."""

    async def answer(_screen: phone.Screen) -> str | None:
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()

        def settle(text: str) -> None:
            if not line.done():
                line.set_result(text)

        def read() -> None:
            text = sys.stdin.readline()
            loop.call_soon_threadsafe(settle, text)

        print("> ", end="", flush=True)
        # A daemon thread: a blocked read must not keep Ctrl-C from ending the program.
        threading.Thread(target=read, daemon=True).start()
        text = (await line).strip()
        return text or None

    return answer


def boxed(text: str) -> list[str]:
    """The lines of a screen in a box."""
    lines = text.split("\n")
    width = max(24, *(len(line) for line in lines))
    edge = "─" * (width + 2)
    return [f"┌{edge}┐", *(f"│ {line:<{width}} │" for line in lines), f"└{edge}┘"]


def _print_screen(screen: phone.Screen) -> None:
    print("\n".join(boxed(screen.text)))
    state = "" if screen.ends else " · waits for an answer, an empty line hangs up"
    print(f"  {screen.length} of {screen.limit} {screen.unit} · {screen.seconds * 1000:.0f} ms{state}")


def _print_end(conversation: phone.Conversation, sends: int) -> None:
    if conversation.sms and not conversation.screens:
        return  # an SMS and its answer: there is no dialogue to end
    ended = {"service": "ended by the service", "subscriber": "you hung up", "network": "ended by the network"}
    reason = f": {conversation.reason}" if conversation.reason else ""
    print(f"  {ended[conversation.ended_by]}{reason}")
    left = sends - len(conversation.sent)
    if left > 0:
        print(f"  {left} of {sends} answers were not sent: the dialogue was over")


def _as_json(conversation: phone.Conversation) -> dict[str, object]:
    screens = [screen._asdict() for screen in conversation.screens]
    sms = [message._asdict() for message in conversation.sms]
    return {**dataclasses.asdict(conversation), "screens": screens, "sms": sms, "ok": conversation.ended_properly}


# --- a conversation as a test ---------------------------------------------------------------------------------------


def _check_name(settings: Settings, name: str) -> None:
    if _talk_file(settings, name).exists():
        raise CommandFailed(f"{_talk_file(settings, name)} is there already: choose another name")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}", name):
        raise CommandFailed(f"'{name}' cannot be a file's name: write letters, digits, - and _")


def _talk_file(settings: Settings, name: str) -> Path:
    return settings.path(settings.engine.menus) / menu_folder.TALKS / f"{name}.yaml"


def _save(
    settings: Settings, link: Link, name: str, conversation: phone.Conversation, recorded: Mapping[str, Any]
) -> Path:
    """Writes the conversation as a file of talks. A secret that was typed is written as another; a code that was shown
    once, as a made-up one."""
    menus = menu_folder.read_folder(settings.path(settings.engine.menus))
    terms = compiler.terms_of(compiler.job_of(settings))
    checked = check_files(menus.menus, menus.name, terms.networks, {})
    if checked.mistakes:
        raise CommandFailed(f"nothing is saved while menus have mistakes, the first: {checked.mistakes[0]}")
    catalog = checked.catalog
    dialled = dial_string.parse(conversation.dialled)
    found = catalog.find(link.config.network, dialled.parts) if dialled else None
    if found is None or not recorded.get("ok"):
        raise CommandFailed("nothing was recorded: the engine does not know this code, or it is another engine")
    calls, made_up = _calls(recorded["calls"], catalog)
    screens = [_made_up(screen.text, made_up) for screen in conversation.screens]
    typed = [_typed_as(text, secret) for text, secret in zip(conversation.sent, recorded["secret"][1:], strict=False)]
    steps = [{"dial": conversation.dialled}, *({"send": text} for text in typed)]
    for step, screen, came in zip(steps, screens, conversation.screens, strict=False):
        step["screen"] = screen
        if came.ends:
            step["ends"] = True  # type: ignore[assignment]
    test: dict[str, Any] = {
        "name": name.replace("_", " "),
        "language": recorded["language"],
        "network": link.config.network,
    }
    test |= {"calls": calls} if calls else {}
    path = _talk_file(settings, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(talk_files.written(found.service.id, [{**test, "talk": steps[: len(screens)]}]))
    return path


def _calls(made: list[dict[str, Any]], catalog: Catalog) -> tuple[dict[str, Any], dict[str, str]]:
    """What the calls of the talk answer, and which codes were made up for it."""
    once = {
        (do.call, field) for service in catalog.services.values() for screen in service.screens.values()
        for do in calls_of(screen) for field in do.once
    }  # fmt: skip
    made_up: dict[str, str] = {}
    answers: dict[str, list[Any]] = {}
    for each in made:
        outcome = each["outcome"]
        if isinstance(outcome, dict) and "done" in outcome:
            for field, value in outcome["done"].items():
                if (each["call"], field) in once:
                    kind = OPERATIONS[each["call"]].results[field].type
                    made_up[str(value)] = str(sample.Sample(sample.PROFILES[1]).value(kind))[:1] * len(str(value))
                    outcome["done"][field] = made_up[str(value)]
        answers.setdefault(each["call"], []).append(outcome)
    return {call: each[0] if len(each) == 1 else each for call, each in answers.items()}, made_up


def _made_up(text: str, made_up: Mapping[str, str]) -> str:
    for code, other in made_up.items():
        text = text.replace(code, other)
    return text


def _typed_as(text: str, secret: bool) -> str:
    """A secret as another of the same form."""
    return re.sub(r"[0-9]", "7", re.sub(r"[^0-9]", "x", text)) if secret else text
