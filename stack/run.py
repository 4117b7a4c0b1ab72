"""`make run`: the whole system on one machine, to try it: Redis, PostgreSQL, the billing core and the engine.

Rules of this file:
- Each step is one line, with the seconds since the start. What goes wrong is one line on standard error, and the exit
  code is 1.
- Ctrl-C, SIGTERM and a closed terminal end everything in order, with exit code 0. Asking twice does not make it faster:
  every part has a time in which it must end.
- A signal is only noted when it comes; what waits looks at the note after each short sleep.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn, TextIO

from stack.child import Pause, StartError
from stack.programs import Programs, check, installed_programs
from stack.settings import Settings, read_settings
from stack.together import NUMBERS, Say, Stack, only_one, shown, start_all

WATCH_SECONDS: Final = 0.2
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_EXAMPLES: Final = """\
examples:
  python -m stack.run                          everything, as ./config.yaml says
  python -m stack.run --numbers 200            a small new database (one that exists keeps its subscribers)
  python -m stack.run --config other.yaml      with other ports, folders or servers
"""


class _AskedToEnd(Exception):
    """Somebody wants us to end."""


class _Asked:
    """Whether somebody has asked us to end, with a signal."""

    def __init__(self) -> None:
        self.asked = False
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.asked = True

    def pause(self, seconds: float) -> None:
        """Sleeps. Raises _AskedToEnd when somebody asked."""
        time.sleep(seconds)
        if self.asked:
            raise _AskedToEnd


def main(arguments: Sequence[str] | None = None, programs: Programs | None = None) -> int:
    """Runs until it is told to end. Returns the exit code: 0 when it was told to, 1 when something went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m stack.run",
        description="Starts Redis, PostgreSQL, the billing core and the engine, and ends them with Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="the settings (default: config.yaml)")
    parser.add_argument(
        "--numbers", type=_count, default=NUMBERS, help=f"subscribers that a new database gets (default: {NUMBERS})"
    )
    options = parser.parse_args(arguments)
    asked = _Asked()
    try:
        settings = read_settings(options.config)
        with only_one(settings.data_folder):
            if programs is None:  # before anything is started: a mistake of an author costs no start
                check(options.config, pause=asked.pause)
            return _run(settings, programs or installed_programs(), options.numbers, asked.pause)
    except StartError as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f"{error.filename or 'a system call'}: {error.strerror or error}")


def _run(settings: Settings, programs: Programs, numbers: int, pause: Pause) -> int:
    say = _progress()
    with Stack(say) as stack:
        try:
            start_all(stack, settings, programs, numbers, say, pause)
            _say_what_is_there(settings, say)
            _watch(stack, pause)
        except _AskedToEnd:
            say("ending …")
            return 0


def _watch(stack: Stack, pause: Pause) -> NoReturn:
    """Waits until a part has ended by itself, which is never meant. Raises StartError then."""
    while (dead := stack.dead()) is None:
        pause(WATCH_SECONDS)
    raise StartError(f"everything ends, because {dead.name} {dead.ending_and_reason()} (log: {shown(dead.log)})")


def _say_what_is_there(settings: Settings, say: Say) -> None:
    private = [name for name, url in (("Redis", settings.redis_url), ("PostgreSQL", settings.database_url)) if not url]
    with_private = f"     with a private {' and '.join(private)}" if private else ""
    lines = [
        f"SMPP           {settings.engine_smpp}     USSD centres and SMSCs bind here",
        f"engine HTTP    {settings.engine_http}     /health, /ready, /metrics",
        f"billing core   {settings.core_http}     /health, /ready",
        f"data and logs  {shown(settings.data_folder)}{with_private}",
        "",
        "Try it:  .venv/bin/ussd-engine dial '*111*3#' --from 77010000007",
        "End it:  Ctrl-C",
    ]
    say("everything is ready")
    _print("\n" + "\n".join(f"  {line}".rstrip() for line in lines) + "\n")


def _progress() -> Say:
    begun = time.monotonic()
    return lambda line: _print(f"{time.monotonic() - begun:7.1f} s  {line}")


def _failed(line: str) -> int:
    _print(f"make run: {line}", sys.stderr)
    return 1


def _print(text: str, to: TextIO | None = None) -> None:
    """Writes a line, to standard output unless told otherwise.

    A terminal that is gone is no reason to end otherwise than in order: from then on nothing is written to it.
    """
    stream = to or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of subscribers")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
