"""The command line of the engine: `ussd-engine COMMAND`; the commands are in `commands`.

`serve` stands here, and loads none of the others: a restart has to be quick.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import uvloop

from smpp.errors import BindRefused
from strict_yaml import StrictYamlError

from . import app
from .commands import CommandFailed, Commands
from .config import read_settings

_EXAMPLES = """
  ussd-engine sms 111 BAL --from 77010000007              an SMS in, and its answer
  ussd-engine demo                                        all services, one after the other
  ussd-engine check                                       every mistake in menus/, with its place and cure
  ussd-engine test --update                               the tests say what screens are now, and the diff is shown
  ussd-engine reload                                      edited menus are put in force in a running engine
  ussd-engine serve --config config.yaml                  what `make run` starts"""


def main() -> None:
    """Entry point of the script `ussd-engine`."""
    arguments = _parser(serve_alone=sys.argv[1:2] == ["serve"]).parse_args()
    try:
        sys.exit(arguments.run(arguments))
    except StrictYamlError as error:
        if getattr(arguments, "json", False):
            listed = [{**each.place._asdict(), "what": each.what, "cure": each.cure} for each in error.mistakes]
            print(json.dumps({"ok": False, "mistakes": listed}, ensure_ascii=False))
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        if len(error.mistakes) > 1:
            print(f"{len(error.mistakes)} mistakes, the first: {error.mistakes[0]}", file=sys.stderr)
        sys.exit(1)
    except FileNotFoundError as error:
        print(f"ussd-engine: there is no {error.filename}: run it in the checkout, or name --config", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # somebody has seen enough of what was printed
        sys.exit(1)
    except (CommandFailed, app.StartError, OSError, BindRefused) as error:
        if getattr(arguments, "json", False):
            print(json.dumps({"ok": False, "error": str(error)}, ensure_ascii=False))
        print(f"ussd-engine: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser(*, serve_alone: bool) -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="ussd-engine", description="A USSD and SMS menu engine over SMPP.", formatter_class=plain
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings (default: config.yaml)")
    serve = commands.add_parser("serve", parents=[config], help="run the engine until Ctrl-C or SIGTERM")
    serve.set_defaults(run=_serve)
    if not serve_alone:
        parser.epilog = _add_others(commands, config) + _EXAMPLES
    return parser


def _add_others(commands: Commands[argparse.ArgumentParser], config: argparse.ArgumentParser) -> str:
    """Adds the commands beside `serve`; the first examples."""
    from .commands import demo, handset, links, menus, operate

    for each in (menus, handset, demo, operate, links):
        each.add(commands, config)
    return handset.EXAMPLES


def _serve(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    uvloop.run(app.serve(settings))
    return 0
