"""Commands for whoever runs an engine: reload, maintenance, history, probe, hash-password."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import sys
import time
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import aiohttp
import uvloop

from billing.signing import sign
from strict_yaml import StrictYamlError, did_you_mean

from .. import accounts, app, compiler, menu_folder, operator_side, probe, switches
from ..config import Settings, read_settings
from ..language.catalog import check_files
from ..peer_config import ClientLink
from . import CommandFailed

if TYPE_CHECKING:
    from . import Commands

ANSWER_SECONDS_MAX = 90.0
"""A reload is answered when the menus have been checked."""


def add(  # long because: a command and its options stand side by side
    commands: Commands[argparse.ArgumentParser], config: argparse.ArgumentParser
) -> None:
    """Adds the commands to the parser."""
    reloading = commands.add_parser(
        "reload", parents=[config], help="put the menus as they are now in force, if they are green",
        description="Asks the running engine to check its menus and to swap them. Dialogues go on with the version "
        "they began with. Exit code 1, with every mistake, when the menus are red: then nothing has changed.",
    )  # fmt: skip
    reloading.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    reloading.set_defaults(run=_reload)

    working = commands.add_parser(
        "maintenance", parents=[config], help="switch a service, a screen or an option off and on",
        description="Writes the maintenance file, which every running engine reads within a second.",
        epilog="examples:\n  ussd-engine maintenance                        what is off, and what can be\n"
        "  ussd-engine maintenance off wallet/payments\n  ussd-engine maintenance on wallet/payments",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    working.add_argument("turn", nargs="?", choices=["on", "off"], help="what to do; nothing: only show")
    working.add_argument("names", nargs="*", metavar="NAME", help="SERVICE, SERVICE/SCREEN or SERVICE/SCREEN/OPTION")
    working.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    working.set_defaults(run=_maintenance)

    looking = commands.add_parser(
        "history", parents=[config], help="the last dialogues of a number, as the subscriber saw them",
        description="For customer care: screens and answers, without secrets. Who asks is logged.",
    )  # fmt: skip
    looking.add_argument("msisdn", help="E.164 digits, as 77010000007")
    looking.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    looking.set_defaults(run=_history)

    probing = commands.add_parser(
        "probe", parents=[config], help="is a link usable? exit codes as monitoring plugins have them",
        description="Binds to a peer for a moment, or asks the running engine about a peer that binds to it. "
        "Prints one line; exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
    )  # fmt: skip
    probing.add_argument("link", help="the link's name in config.yaml")
    probing.add_argument("--seconds", type=float, default=10.0, help="how long the peer may take (default: 10)")
    probing.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    probing.set_defaults(run=_probe)

    hashing = commands.add_parser("hash-password", help="print the hash of a password for config.yaml")
    hashing.set_defaults(run=_hash_password)


# --- asking a running engine ----------------------------------------------------------------------------------------


def ask(settings: Settings, path: str, msisdn: str = "", link: str = "", seconds: float = 0.0) -> dict[str, Any]:
    """What the running engine answers to an operator's question. Raises CommandFailed."""
    return asyncio.run(ask_engine(settings, path, msisdn, link, seconds))


async def ask_engine(
    settings: Settings, path: str, msisdn: str = "", link: str = "", seconds: float = 0.0
) -> dict[str, Any]:
    """As `ask`, in a running loop."""
    operators = settings.engine.operators
    if not operators:
        raise CommandFailed("config.yaml names nobody under `engine.operators`: there is no key to ask with")
    client, file = next(iter(operators.items()))
    key = app.key_of(settings, file)
    body = json.dumps({"by": getpass.getuser(), "msisdn": msisdn, "link": link, "seconds": seconds}).encode()
    address = settings.engine.http_listen
    headers = sign(client, key, "POST", path, body, time.time())
    try:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"http://{address}{path}", data=body, headers=headers) as response,
        ):
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status != HTTPStatus.OK:
                raise CommandFailed(f"the engine at {address} refused: {answer.get('detail', response.status)}")
            return answer
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise CommandFailed(
            f"no engine answers at {address} ({error or 'no answer in time'}): is it running?"
        ) from None


def _reload(arguments: argparse.Namespace) -> int:
    answer = ask(read_settings(arguments.config), operator_side.RELOAD_PATH)
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0 if answer["ok"] else 1
    for each in answer["mistakes"]:
        print(f"{each['file']}:{each['line']}:{each['column']}: {each['what']}. {each['cure']}")
    word = "in force" if answer["ok"] else f"{len(answer['mistakes'])} mistakes: nothing has changed; in force is still"
    print(f"{word}: menus {answer['version']}")
    return 0 if answer["ok"] else 1


def _history(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    if not arguments.msisdn.isdigit():
        raise CommandFailed("the number is E.164 digits, as 77010000007")
    answer = ask(settings, operator_side.HISTORY_PATH, arguments.msisdn)
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    if not answer["kept"]:
        print("no histories are kept: see `engine.history` in config.yaml")
    elif not answer["dialogues"]:
        print("no dialogue of this number is known")
    zone = ZoneInfo(next(iter(settings.engine.networks.values())).time_zone)
    for dialogue in answer["dialogues"]:
        began = datetime.fromtimestamp(dialogue["began"], zone)
        print(f"\n{began:%d.%m.%Y %H:%M:%S}  {dialogue['service']}  {dialogue['link']}  ended: {dialogue['cause']}")
        for turn in dialogue["turns"]:
            print(f"  > {turn['typed']}")
            for line in turn["shown"].split("\n"):
                print(f"    {line}")
    return 0


def _maintenance(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    path = settings.path(settings.engine.maintenance_file)
    off = switches.read_switches(path)
    folder = menu_folder.read_folder(settings.path(settings.engine.menus))
    terms = compiler.terms_of(compiler.job_of(settings))
    checked = check_files(folder.menus, folder.name, terms.networks, {})
    names = frozenset(arguments.names)
    if bool(names) != bool(arguments.turn):
        raise CommandFailed("say what: `ussd-engine maintenance off NAME`")
    wrong = switches.unknown(names - off, checked.services)
    if wrong and not checked.mistakes:
        raise CommandFailed(wrong[0])
    if wrong:  # a running engine has older menus, in which the name may stand
        print(f"ussd-engine: not checked, because menus have mistakes: {wrong[0]}", file=sys.stderr)
    if arguments.turn:
        off = off | names if arguments.turn == "off" else off - names
        switches.write_switches(path, off)
    can_be = sorted(name for service in checked.services.values() for name in switches.names_of(service))
    if arguments.json:
        print(json.dumps({"off": sorted(off), "can_be": can_be}))
        return 0
    for name in can_be:
        print(f"{'OFF' if name in off else 'on ':<4} {name}")
    for name in sorted(off - set(can_be)):
        print(f"OFF  {name}, and nothing has this name")
    return 0


# --- links and passwords --------------------------------------------------------------------------------------------


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
            bind, tls = app.bind_pdu(settings, link.config), app.client_tls(settings, link.name, link.config)
        except app.StartError as error:
            print(f"{probe.WORDS[probe.UNKNOWN]} - {link.name}: {error}")
            return probe.UNKNOWN
        found = uvloop.run(probe.probe_client(link, link.config, bind, tls, arguments.seconds))
    else:
        found = uvloop.run(probe.probe_server(link, settings.engine.http_listen, arguments.seconds))
    print(json.dumps({**found._asdict(), "state": probe.WORDS[found.state]}) if arguments.json else found)
    return found.state


def _hash_password(_arguments: argparse.Namespace) -> int:
    try:
        print(accounts.hash_password(getpass.getpass("password: ")))
    except EOFError:
        raise CommandFailed("no password was typed") from None
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    return 0
