"""A folder of menus as it lies on the disk, or in a revision of git: its files, and whether they have changed."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TypeAlias

from strict_yaml import OCTETS_MAX, SPLIT_IT, Mistake, Place, StrictYamlError

from .language.examine import MenuFolder

TALKS = "talks"
GIT_SECONDS_MAX = 20.0

Fingerprint: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Of each file its name, inode, size and time of change: another one means that the folder has to be read again."""


def read_folder(folder: Path) -> MenuFolder:
    """The files of a folder of menus. Raises StrictYamlError when there is no such folder."""
    if not folder.is_dir():
        what, cure = "there is no such folder", "Name the folder of the menus."
        raise StrictYamlError([Mistake(Place(str(folder), 1, 1), what, cure)])
    mistakes: list[Mistake] = []
    menus, talks = _files(folder, mistakes), _files(folder / TALKS, mistakes)
    if mistakes:
        raise StrictYamlError(mistakes)
    return MenuFolder(str(folder), menus, talks)


def _files(folder: Path, mistakes: list[Mistake]) -> dict[str, bytes]:
    """The menus of a folder; what an editor or a system keeps beside them begins with a dot, and is none."""
    found = {}
    for path in sorted(folder.glob("*.y*ml")):
        place = Place(str(path), 1, 1)
        if path.name.startswith("."):
            continue
        if path.suffix == ".yml":
            mistakes.append(Mistake(place, "a file that would not be read", f"Name it {path.stem}.yaml."))
            continue
        try:
            state = path.stat()
            if not stat.S_ISREG(state.st_mode):  # a pipe, which would be waited for, or a device without an end
                mistakes.append(Mistake(place, "it is no file", "Remove it."))
            elif state.st_size > OCTETS_MAX:
                mistakes.append(Mistake(place, f"the file has {state.st_size} octets", SPLIT_IT))
            else:
                found[path.name] = path.read_bytes()
        except OSError as error:
            mistakes.append(Mistake(place, f"it cannot be read: {error.strerror}", "Put it right, or remove it."))
    return found


def fingerprint(folder: Path) -> Fingerprint:
    """What tells whether anything in the folder has changed. A folder that is gone has none."""
    found: list[tuple[str, int, int, int]] = []
    for place in (folder, folder / TALKS):
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.name.endswith((".yaml", ".yml")) and not entry.name.startswith("."):
                        state = entry.stat()
                        name = f"{place.name}/{entry.name}"
                        found.append((name, state.st_ino, state.st_size, state.st_mtime_ns))
        except OSError:
            continue  # there are no talks, or an editor is just replacing a file: the next look will tell
    return tuple(sorted(found))


class NoSuchRevision(Exception):
    """A name that is neither a folder nor a revision of git; the text says what git said."""


def read_anywhere(name: str, menus: Path) -> MenuFolder:
    """The menus in a folder, or those of the folder `menus` in a revision of git.

    Raises NoSuchRevision, StrictYamlError.
    """
    if Path(name).is_dir():
        return read_folder(Path(name))
    relative = Path(os.path.relpath(menus))
    if name.startswith("-"):
        raise NoSuchRevision(f"'{name}' is neither a folder nor a revision of git")
    return MenuFolder(f"{name}:{relative}", _at(name, relative), _at(name, relative / TALKS))


def _at(revision: str, folder: Path) -> dict[str, bytes]:
    listed = _git("ls-tree", "--name-only", "-z", revision, f"{folder}/").decode()
    names = [name for name in listed.split("\0") if name.endswith(".yaml") and not Path(name).name.startswith(".")]
    return {Path(name).name: _git("show", f"{revision}:./{name}") for name in names}


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - the program is named here, a revision that looks like an option is refused
            ["git", *arguments],  # noqa: S607
            capture_output=True,
            check=False,
            timeout=GIT_SECONDS_MAX,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSuchRevision(f"git: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[0]
        raise NoSuchRevision(f"neither a folder nor a revision of git ({said})")
    return done.stdout
