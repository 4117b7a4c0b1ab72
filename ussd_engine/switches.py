"""What is switched off for maintenance: a file that operations staff (or `ussd-engine maintenance`) write.

`{off: [wallet, wallet/payments, self_service/root/history]}`: services, screens and options that have a `maintenance:`
text. Every engine process reads the file anew when it changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from strict_yaml import Mistake, StrictYamlError, did_you_mean, read_file

from .language.leads import switches
from .language.menu import Service

_HEAD = "# What is switched off for maintenance. `ussd-engine maintenance` writes this file; it may be edited too.\n"


def read_switches(path: Path) -> frozenset[str]:
    """The names that are switched off; none when there is no file. Raises StrictYamlError, OSError."""
    try:
        node = read_file(path)
    except FileNotFoundError:
        return frozenset()
    mistakes = [
        Mistake(node.key_places[key], f"unknown key '{key}'", "Write `off: [name, …]`.")
        for key in node.items
        if key != "off"
    ]
    off = node.items.get("off")
    names: list[str] = []
    if off is not None and off.value is not None:
        if isinstance(off.value, list):
            names = [str(each.value) for each in off.value]
        else:
            mistakes.append(Mistake(off.place, f"{off.kind} where a list is expected", "Write [name, …]."))
    if mistakes:
        raise StrictYamlError(mistakes)
    return frozenset(names)


def write_switches(path: Path, names: frozenset[str]) -> None:
    """Writes the file anew, whole or not at all. Raises OSError."""
    lines = "".join(f"  - {name}\n" for name in sorted(names))
    text = f"{_HEAD}off:\n{lines}" if names else f"{_HEAD}off: []\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside.write_text(text)
    beside.replace(path)


def names_of(service: Service) -> list[str]:
    """What of a service can be switched off: the service (in its own words, or the engine's), screens and options."""
    whole = (service.id,) if service.dial or service.sms else ()
    return list(dict.fromkeys((*whole, *switches(service))))


def unknown(names: frozenset[str], services: Mapping[str, Service]) -> list[str]:
    """What is wrong with names that switch nothing, in words."""
    known = {name for service in services.values() for name in names_of(service)}
    return [f"'{name}' switches nothing: {_why(name, services, known)}" for name in sorted(names - known)]


def _why(name: str, services: Mapping[str, Service], known: set[str]) -> str:
    service, _, rest = name.partition("/")
    screen, _, option = rest.partition("/")
    if service in services and screen in services[service].screens:
        options = getattr(services[service].screens[screen], "options", ())
        if not option or option in (each.id for each in options):
            return "it has no `maintenance:` text in its menu."
    return did_you_mean(name, known)
