"""What both programs do so that secrets stay theirs: a leaf, which imports nothing of ours.

Rules of this file: memory that PINs and keys pass through is nobody else's; a file with a secret is read by its owner
and its group at most; what is said in clear stays on this machine.
"""

from __future__ import annotations

import ctypes
import ipaddress
import resource
import stat
from pathlib import Path
from typing import Final

PRODUCTION_KEY_OCTETS_MIN: Final = 32
"""Of every line of a key file: 32 hex digits are the least, 64 are made by `make run`."""
FORBIDDEN_MODE: Final = 0o037
"""What a file with a secret must not let: writing by its group, anything by others (0600, 0640, 0400 pass)."""

_PR_SET_DUMPABLE: Final = 4
"""prctl(2)"""


def keep_memory_private() -> None:
    """From now on this process leaves no core dump, and nobody but root can attach to it or read its memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_this_machine(host: str) -> bool:
    """Whether what is sent to this host stays on this machine: a loopback address, `localhost`, a socket's folder."""
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def secret_file_faults(path: Path, octets_min: int = 0) -> list[str]:
    """What is unsafe about a file with a secret, in words for operators; `octets_min`: of each line of a key file."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        lines = [line for line in path.read_bytes().splitlines() if line] if octets_min else []
    except OSError as error:
        return [f"{path}: {error.strerror or error}"]
    faults = []
    if mode & FORBIDDEN_MODE:
        faults.append(f"{path} has the mode {mode:04o}: others may read or write it; chmod 0600")
    if octets_min and min(map(len, lines), default=0) < octets_min:
        faults.append(f"{path} holds a key of fewer than {octets_min} octets")
    return faults
