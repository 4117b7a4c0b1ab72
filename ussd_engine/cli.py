"""The command line of the engine: `ussd-engine serve | dial | sms | probe | check | hash-password`."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import getpass
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from smpp.errors import BindRefused
from strict_yaml import StrictYamlError, did_you_mean

from . import accounts, app, catalog, phone, probe, talk
from .config import Address, ClientLink, ServerLink, Settings, read_settings
from .dialect import Dialect

_EXAMPLES = """examples:
  ussd-engine dial '*111*3#' --from 77010000007           one screen, as a phone shows it
  ussd-engine dial '*111#'                                interactive: type answers, an empty line hangs up
  ussd-engine dial '*111#' --send 9 --send 2 --json       a fixed talk, for scripts
  ussd-engine sms 111 BAL --from 77010000007              an SMS in, and its answer
  ussd-engine check                                       every mistake in menus/, with its place and cure
  ussd-engine serve --config config.yaml                  what `make run` starts"""

DEMO_PASSWORD = "secret"  # noqa: S105 - of the demo account in config.yaml, which production refuses


def main() -> None:
    """Entry point of the script `ussd-engine`."""
    arguments = _parser().parse_args()
    try:
        sys.exit(arguments.run(arguments))
    except StrictYamlError as error:
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        if len(error.mistakes) > 1:
            print(f"{len(error.mistakes)} mistakes, the first: {error.mistakes[0]}", file=sys.stderr)
        sys.exit(1)
    except FileNotFoundError as error:
        print(f"ussd-engine: there is no {error.filename}: run it in the checkout, or name --config", file=sys.stderr)
        sys.exit(1)
    except (app.StartError, OSError, BindRefused) as error:
        print(f"ussd-engine: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="ussd-engine", description="A USSD and SMS menu engine over SMPP.", epilog=_EXAMPLES, formatter_class=plain
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings (default: config.yaml)")

    serve = commands.add_parser("serve", parents=[config], help="run the engine until Ctrl-C or SIGTERM")
    serve.set_defaults(run=_serve)

    check = commands.add_parser(
        "check",
        parents=[config],
        help="check the menus and play the tests beside them",
        description="Reads every menu, checks it against the billing contract, and plays the tests beside it.",
    )
    check.add_argument("path", nargs="?", type=Path, help="folder of menus (default: engine.menus of config.yaml)")
    check.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    check.set_defaults(run=_check)

    _dial_parser(commands, config)
    _sms_parser(commands, config)

    probing = commands.add_parser(
        "probe",
        parents=[config],
        help="is a link usable? exit codes as monitoring plugins have them",
        description="Binds to a peer for a moment, or asks the running engine about a peer that binds to it. "
        "Prints one line; exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
    )
    probing.add_argument("link", help="the link's name in config.yaml")
    probing.add_argument("--seconds", type=float, default=10.0, help="how long the peer may take (default: 10)")
    probing.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    probing.set_defaults(run=_probe)

    hashing = commands.add_parser("hash-password", help="print the hash of a password for config.yaml")
    hashing.set_defaults(run=_hash_password)
    return parser


def _sms_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], config: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--system-id", help="account (default: the demo account)")
    parser.add_argument("--password", default=DEMO_PASSWORD, help="its password (default: the demo account's)")
    parser.add_argument(
        "--sms-seconds", type=float, default=sms_seconds, help=f"how long to wait for SMS (default: {sms_seconds:g})"
    )


def _dial_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], config: argparse.ArgumentParser
) -> None:
    dial = commands.add_parser(
        "dial",
        parents=[config],
        help="dial a code as a handset would, over real SMPP",
        description="Binds as a USSD centre, dials, and shows the screens. Exit code 0 only if the service ended it.",
        epilog=_EXAMPLES.splitlines()[0] + "\n" + "\n".join(_EXAMPLES.splitlines()[1:4]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    dial.add_argument("code", help="what to dial, in quotes: '*111*3#'")
    dial.add_argument("--send", action="append", default=None, metavar="TEXT", help="an answer; may be repeated")
    _handset_options(dial, 1.5)
    dial.set_defaults(run=_dial)


def _serve(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    uvloop.run(app.serve(settings))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    started = time.perf_counter()
    settings = read_settings(arguments.config)
    folder = arguments.path or settings.path(settings.engine.menus)
    try:
        found = catalog.read_catalog(folder, settings.engine.networks)
        mistakes = [failure.mistake for failure in talk.play_all(found)]
        screens = sum(len(service.screens) for service in found.services.values())
        summary = {"services": len(found.services), "screens": screens, "tests": len(talk.talks_of(found))}
    except StrictYamlError as error:
        mistakes, summary = list(error.mistakes), {}
    seconds = time.perf_counter() - started
    if arguments.json:
        listed = [{**each.place._asdict(), "what": each.what, "cure": each.cure} for each in mistakes]
        print(json.dumps({"ok": not mistakes, **summary, "mistakes": listed}, ensure_ascii=False))
        return 1 if mistakes else 0
    for mistake in mistakes:
        print(mistake)
    counted = ", ".join(f"{count} {name}" for name, count in summary.items())
    word = "mistake" if len(mistakes) == 1 else "mistakes"
    first = f"{len(mistakes)} {word}, the first: {mistakes[0]}" if mistakes else ""
    print(first or f"All is well: {counted}.", f"{seconds:.2f} s")
    return 1 if mistakes else 0


def _probe(arguments: argparse.Namespace) -> int:
    try:
        settings = read_settings(arguments.config)
    except (StrictYamlError, OSError) as error:
        print(f"{probe.WORDS[probe.UNKNOWN]} - {error}".splitlines()[0])
        return probe.UNKNOWN
    link = settings.links.get(arguments.link)
    if link is None:
        print(
            f"{probe.WORDS[probe.UNKNOWN]} - no link '{arguments.link}'. {did_you_mean(arguments.link, settings.links)}"
        )
        return probe.UNKNOWN
    if isinstance(link.config, ClientLink):
        try:
            bind = app.bind_pdu(settings, link.config)
        except app.StartError as error:
            print(f"{probe.WORDS[probe.UNKNOWN]} - {link.name}: {error}")
            return probe.UNKNOWN
        found = uvloop.run(probe.probe_client(link, link.config, bind, arguments.seconds))
    else:
        found = uvloop.run(probe.probe_server(link, settings.engine.http_listen, arguments.seconds))
    print(json.dumps({**found._asdict(), "state": probe.WORDS[found.state]}) if arguments.json else found)
    return found.state


def _hash_password(_arguments: argparse.Namespace) -> int:
    try:
        print(accounts.hash_password(getpass.getpass("password: ")))
    except ValueError as error:
        print(f"ussd-engine: {error}", file=sys.stderr)
        return 1
    return 0


# --- dial -----------------------------------------------------------------------------------------------------------


def _dial(arguments: argparse.Namespace) -> int:
    quiet = arguments.json
    account, dialect = _account(arguments, read_settings(arguments.config))
    answer = _fixed(arguments.send) if arguments.send is not None or quiet else _typed()
    conversation = uvloop.run(
        phone.converse(account, dialect, arguments.msisdn, arguments.code, answer, _shown(quiet), arguments.sms_seconds)
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
    if not arguments.msisdn.isdigit():
        raise app.StartError("--from takes E.164 digits, as 77010000007")
    links = settings.links.values()
    if arguments.system_id:
        link = next((each for each in links if each.config.system_id == arguments.system_id), None)
    else:
        link = next((each for each in links if isinstance(each.config, ServerLink) and each.config.demo), None)
    if link is None:
        raise app.StartError("config.yaml has no such account: --system-id names that of a `role: server` link")
    address = settings.engine.smpp_listen
    if arguments.smpp:
        host, _, port = arguments.smpp.rpartition(":")
        if not host or not port.isdigit():
            raise app.StartError("--smpp takes HOST:PORT, as 127.0.0.1:2775")
        address = Address(host, int(port))
    return phone.Account(address, link.config.system_id, arguments.password), link.dialect


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


def _print_screen(screen: phone.Screen) -> None:
    lines = screen.text.split("\n")
    width = max(24, *(len(line) for line in lines))
    print("┌" + "─" * (width + 2) + "┐")
    for line in lines:
        print(f"│ {line:<{width}} │")
    print("└" + "─" * (width + 2) + "┘")
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
