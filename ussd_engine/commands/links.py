"""Commands about links: how it stands with each, and the trace of one."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from strict_yaml import did_you_mean

from .. import operator_side
from ..config import read_settings
from . import CommandFailed
from .operate import ask

if TYPE_CHECKING:
    from . import Commands


def add(commands: Commands[argparse.ArgumentParser], config: argparse.ArgumentParser) -> None:
    """Adds the commands to the parser."""
    listing = commands.add_parser(
        "links", parents=[config], help="how it stands with each link: bound or down, since when, what failed last",
        description="Asks the running engine. Exit code 1 when a link is down.",
    )  # fmt: skip
    listing.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    listing.set_defaults(run=_links)

    tracing = commands.add_parser(
        "trace", parents=[config], help="log each PDU of a link for a while, texts and passwords masked",
        epilog="examples:\n  ussd-engine trace kcell-ussdc on --seconds 60\n  ussd-engine trace kcell-ussdc off",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    tracing.add_argument("link", help="the link's name in config.yaml")
    tracing.add_argument("turn", choices=["on", "off"])
    tracing.add_argument("--seconds", type=float, default=600.0, help="it ends by itself (default: 600, at most 3600)")
    tracing.set_defaults(run=_trace)


def _links(arguments: argparse.Namespace) -> int:
    found: list[dict[str, Any]] = ask(read_settings(arguments.config), operator_side.LINKS_PATH)["links"]
    if arguments.json:
        print(json.dumps({"links": found}, ensure_ascii=False))
    else:
        width = max((len(each["link"]) for each in found), default=0)
        for each in found:
            print(f"{each['link']:<{width}}  {_told(each)}")
    return 0 if all(each["state"] == "bound" for each in found) else 1


def _told(link: dict[str, Any]) -> str:
    """One line of a link."""
    told = f"{link['state']:<5} since {link['since']}  {link['role']}, {link['binds']} binds, {link['dialect']}"
    if link["in_flight"]:
        told += f", {link['in_flight']} in flight"
    if link["per_second"]:
        told += f", {link['per_second']:g} a second"
    if link["traced"]:
        told += ", traced"
    if link["wrong_account"]:
        told += "; THE PEER REFUSES OUR ACCOUNT"
    return told + (f"; last error {link['last_error_at']}: {link['last_error']}" if link["last_error"] else "")


def _trace(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    if arguments.link not in settings.links:
        raise CommandFailed(f"no link '{arguments.link}'. {did_you_mean(arguments.link, settings.links)}")
    seconds = arguments.seconds if arguments.turn == "on" else 0.0
    answer = ask(settings, operator_side.TRACE_PATH, link=arguments.link, seconds=seconds)
    if not answer["ok"]:
        raise CommandFailed(f"the running engine has no link '{arguments.link}'")
    print(f"{arguments.link}: {f'traced in the log for {seconds:g} s' if seconds else 'not traced'}")
    return 0
