"""A process of ours: started on a leash, watched, and ended.

Rules of this file:
- A child leads a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone, which ends its
  children in order.
- A child dies with us, even by `kill -9`: the kernel sends it a signal when its parent ends (PR_SET_PDEATHSIG in
  prctl(2)). "Parent" is the *thread* that started it: start children from a thread that lives as long as they shall.
  A change of uid clears the setting, so `setpriv` makes both, in the right order.
- What a child writes goes to its log, which is moved aside when it has grown large.
- A child that ended is reaped at the next `poll`, `stop` or `kill`.
- Whatever waits for a child to get ready takes its sleep as an argument, and is left early only by what that raises:
  an exception out of a signal's own function could come at any point, also where a lock is held.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

UNPRIVILEGED_ID: Final = 65534
LOG_OCTETS_MAX: Final = 16 * 1024 * 1024
POLL_SECONDS: Final = 0.02
KILL_SECONDS_MAX: Final = 10.0
_TAIL_OCTETS: Final = 8192
_REASON_CHARACTERS_MAX: Final = 300

# PostgreSQL refuses to run as root. The one capability that is kept lets the unprivileged uid reach binaries and data
# in folders which only root may enter, so that no mode of any folder needs a change.
_WITHOUT_PRIVILEGES: Final = (
    *("--reuid", str(UNPRIVILEGED_ID), "--regid", str(UNPRIVILEGED_ID), "--clear-groups"),
    *("--inh-caps", "+dac_override", "--ambient-caps", "+dac_override", "--securebits", "+no_setuid_fixup"),
)


# A parent that died before the leash was on sends no signal: then the child has another parent by now, and ends.
_IF_WE_STILL_LIVE: Final = '[ "$PPID" = "$0" ] || exit 1; exec "$@"'

Pause = Callable[[float], None]
"""Sleeps so many seconds. May raise, and then the wait is given up and what was being started is killed."""


class StartError(Exception):
    """Something did not start; its text is the one line an operator reads: what, why, and what to do."""


class Child:
    """A running process with its log. Made by `start_child`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path, log_start: int) -> None:
        self.name = name
        self.pid = process.pid
        self.log = log
        self._process = process
        self._log_start = log_start

    def poll(self) -> int | None:
        """None while it runs; then its exit code, or minus the signal that ended it."""
        return self._process.poll()

    def stop(self, how: signal.Signals, seconds_max: float) -> bool:
        """Asks it to end, and kills it if it has not after `seconds_max`. True when it ended by itself."""
        if self.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """Ends it and its process group at once, as a power cut would, and reaps it."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(KILL_SECONDS_MAX)

    def ending(self) -> str:
        """How it ended, in words."""
        code = self.poll()
        if code is None:
            return "still runs"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def ending_and_reason(self) -> str:
        """How it ended and, unless it was killed and so could not say anything, why."""
        code = self.poll()
        return self.ending() if code is None or code < 0 else f"{self.ending()}: {self.reason()}"

    def log_lines(self) -> list[str]:
        """The last lines that this child wrote."""
        with self.log.open("rb") as file:
            octets = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, octets - _TAIL_OCTETS))
            text = file.read().decode(errors="replace")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def reason(self) -> str:
        """The one line of its log that most likely says why it ended: the last fatal one, or the last."""
        lines = self.log_lines()
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line or ": error: " in line]
        return (fatal or lines or ["it wrote nothing"])[-1][:_REASON_CHARACTERS_MAX]

    def __repr__(self) -> str:
        return f"Child({self.name}, pid {self.pid}, {self.ending()})"


def start_child(
    name: str,
    command: Sequence[str],
    log: Path,
    *,
    on_our_death: signal.Signals = signal.SIGKILL,
    without_privileges: bool = False,
    environment: Mapping[str, str] | None = None,
    standard_input: bytes = b"",
) -> Child:
    """Starts `command`, its output appended to `log`, in our working folder, with our environment unless one is given.

    `without_privileges` gives up root, where we are root. Raises StartError when it cannot be started at all; whether
    it then works is for the caller to see, with `wait_until`. `standard_input` is all it gets to read: a few lines.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_OCTETS_MAX:
        log.replace(log.with_name(log.name + ".1"))
    full_command = [*leash(on_our_death, without_privileges=without_privileges), *command]
    with open_log(log) as output:
        log_start = output.seek(0, os.SEEK_END)
        try:
            process = subprocess.Popen(
                full_command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            raise StartError(f"{name} cannot be started: {error}") from None
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(standard_input)
    return Child(name, process, log, log_start)


def open_log(path: Path) -> BinaryIO:
    """Opens a log, which only we may read, to write at its end."""
    return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def leash(on_our_death: signal.Signals, *, without_privileges: bool) -> tuple[str, ...]:
    """The words before a command that tie its life to ours and, for root, give up its privileges. Raises StartError."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StartError("the program setpriv is not on PATH: install the package util-linux")
    dropped = _WITHOUT_PRIVILEGES if without_privileges and os.geteuid() == 0 else ()
    tied = (setpriv, "--pdeathsig", on_our_death.name.removeprefix("SIG"), *dropped, "--")
    return (*tied, "/bin/sh", "-c", _IF_WE_STILL_LIVE, str(os.getpid()))


def check_privileges_can_be_dropped() -> None:
    """Raises StartError where we are root and the system does not let us start a process that is not."""
    if os.geteuid() != 0:
        return
    done = subprocess.run([*leash(signal.SIGKILL, without_privileges=True), "true"], capture_output=True, check=False)
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip().replace("\n", "; ")
        raise StartError(
            f"root here may not start a process as uid {UNPRIVILEGED_ID} ({why}): run this as an ordinary user"
        )


def wait_until(
    child: Child, ready: Callable[[], bool], seconds_max: float, pause: Pause = time.sleep, state: str = "ready"
) -> None:
    """Waits until `ready()` is true. If the child ends before, or it takes longer, kills it and raises StartError."""
    deadline = time.monotonic() + seconds_max
    try:
        while not ready():
            if child.poll() is not None:
                if ready():
                    break  # it has ended in between, and that is what was waited for
                raise StartError(f"{child.name} {child.ending_and_reason()} (log: {child.log})")
            if time.monotonic() > deadline:
                raise StartError(
                    f"{child.name} is not {state} after {seconds_max:g} s; its last words: {child.reason()} "
                    f"(log: {child.log})"
                )
            pause(POLL_SECONDS)
    except BaseException:
        child.kill()
        raise


def run_to_end(child: Child, seconds_max: float, pause: Pause = time.sleep) -> None:
    """Waits until a child that has an end of its own is done. Raises StartError unless it ends well and in time."""
    wait_until(child, lambda: child.poll() == 0, seconds_max, pause, "done")
