"""A service as a picture: Mermaid of its screens, options, calls and outcomes (pure).

Rules of the picture: boxes are screens, rounded ones ask, stadiums end, diamonds are routes, hexagons are calls. A last
screen that many lead to (`sorry`) is drawn beside each of them, or its lines would cross everything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .leads import guards_of
from .menu import (
    RESERVED,
    WITH_OPTIONS,
    Again,
    AskScreen,
    Do,
    EndScreen,
    Fill,
    ListScreen,
    MenuScreen,
    Outcome,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
    Words,
)

TITLE_CHARACTERS_MAX = 28
SHARED_END_MIN = 4
"""A last screen with so many lines to it is drawn anew for each."""
_SHAPES = {
    MenuScreen: ('["', '"]'), ListScreen: ('[["', '"]]'), AskScreen: ('("', '")'), ShowScreen: ('["', '"]'),
    EndScreen: ('(["', '"])'), RouteScreen: ('{"', '"}'),
}  # fmt: skip


class _Edge(NamedTuple):
    """A line from one node to another, and what is written on it."""

    source: str
    target: str
    label: str


def mermaid(services: Iterable[Service], language: str = "") -> str:
    """The flowchart of these services; texts in `language`, where a service has it."""
    listed = [service for service in services if service.screens and not _only_words(service)]
    rows = ["flowchart LR"]
    for service in listed:
        drawing = list(_service(service, language if language in service.languages else next(iter(service.languages))))
        if len(listed) > 1:
            title = " ".join(str(code) for code in service.dial) or service.id
            rows.append(f'  subgraph {_id(service.id)} ["{service.id} {_safe(title)}"]')
            rows += [f"  {row}" for row in drawing]
            rows.append("  end")
        else:
            rows += drawing
    return "\n".join(rows) + "\n"


def _only_words(service: Service) -> bool:
    """A service that nothing begins, as the engine's own words are."""
    return not service.dial and service.sms is None


def _service(service: Service, language: str) -> Iterator[str]:
    edges = _merged(edge for screen in service.screens.values() for edge in _edges(screen))
    into = Counter(edge.target for edge in edges)
    shared = {
        name
        for name, screen in service.screens.items()
        if isinstance(screen, EndScreen) and into[name] >= SHARED_END_MIN
    }
    prefix = _id(service.id)
    yield from _beginnings(service, prefix)
    for screen in service.screens.values():
        if screen.id not in shared:
            before, after = _SHAPES[type(screen)]
            yield f"  {prefix}_{_id(screen.id)}{before}{_title(screen, language)}{after}"
        for where, do in _calls(screen):
            yield f'  {prefix}_{_id(where)}_call{{{{"{do.call}"}}}}'
    for at, edge in enumerate(edges):
        target = f"{prefix}_{_id(edge.target)}"
        if edge.target in shared or edge.target in RESERVED:
            target = f"{prefix}_leaf{at}"
            yield f'  {target}(["{edge.target}"]):::leaf'
        label = f'|"{edge.label}"|' if edge.label else ""
        yield f"  {prefix}_{edge.source} -->{label} {target}"
    yield "  classDef leaf stroke-dasharray: 3 3"


def _beginnings(service: Service, prefix: str) -> Iterator[str]:
    for at, code in enumerate(code for code in service.dial if not code.is_promise):
        yield f'  {prefix}_code{at}(("{_safe(str(code))}")) --> {prefix}_{_id(code.go or service.start)}'
    for pattern in service.sms.patterns if service.sms else ():
        word = _safe(pattern.words[0]) if pattern.words else pattern.secret or "?"
        yield f'  {prefix}_sms_{_id(word)}>"{word}"] --> {prefix}_{_id(pattern.lead.go)}'
    if service.sms:
        yield f'  {prefix}_sms_else>"…"] --> {prefix}_{_id(service.sms.otherwise)}'


def _calls(screen: Screen) -> Iterator[tuple[str, Do]]:
    if isinstance(screen, WITH_OPTIONS):
        yield from ((option.step, option.do) for option in screen.options if option.do)
    elif not isinstance(screen, EndScreen) and screen.do:
        yield screen.id, screen.do


def _edges(screen: Screen) -> Iterator[_Edge]:
    source = _id(screen.id)
    if isinstance(screen, WITH_OPTIONS):
        for option in screen.options:
            label = f"{option.key} {option.id}"
            if option.lead:
                yield _Edge(source, option.lead.go, label)
            elif option.do:
                yield _Edge(source, f"{option.step}_call", label)
    elif isinstance(screen, RouteScreen):
        for case in screen.cases:
            yield _Edge(source, case.lead.go, _safe(case.when.text) if case.when else "else")
    elif isinstance(screen, ListScreen | AskScreen) and screen.lead:
        yield _Edge(source, screen.lead.go, "")
    for where, do in _calls(screen):
        if where == screen.id:
            yield _Edge(source, f"{where}_call", "")
        for word, outcome in _outcomes(do):
            yield _Edge(f"{_id(where)}_call", screen.id if isinstance(outcome, Again) else outcome.go, word)
    for label, target in _elsewhere(screen):
        yield _Edge(source, target, label)


def _outcomes(do: Do) -> Iterator[tuple[str, Outcome]]:
    yield "done", do.done
    yield from do.refused.items()
    yield "unknown", do.unknown
    yield "not_made", do.not_made


def _elsewhere(screen: Screen) -> Iterator[tuple[str, str]]:
    if isinstance(screen, ListScreen):
        yield from ((word, name) for word, name in (("empty", screen.empty), ("over 97", screen.narrow)) if name)
    if not isinstance(screen, EndScreen | RouteScreen) and screen.tries:
        yield f"{screen.tries.most} wrong", screen.tries.then
    yield from (("not allowed", guard.requires.otherwise) for guard in guards_of(screen) if guard.requires)


def _merged(edges: Iterable[_Edge]) -> list[_Edge]:
    """Lines between the same two nodes as one, with all that is written on them."""
    found: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        found.setdefault((edge.source, edge.target), []).append(edge.label)
    return [_Edge(source, target, ", ".join(filter(None, labels))) for (source, target), labels in found.items()]


def _title(screen: Screen, language: str) -> str:
    if isinstance(screen, RouteScreen):
        return _safe(screen.id)
    return f"<b>{_safe(screen.id)}</b><br/>{_safe(_shown(screen.text, language))}"


def _shown(words: Words, language: str) -> str:
    parts = words.by_language[language]
    text = "".join(f"‹{part.path[-1]}›" if isinstance(part, Fill) else part for part in parts)
    line = text.split("\n")[0]
    return line if len(line) <= TITLE_CHARACTERS_MAX else line[: TITLE_CHARACTERS_MAX - 1] + "…"


def _id(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "_", name)


def _safe(text: str) -> str:
    """Text as Mermaid takes it between quotes."""
    return text.replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;").replace("*", "#42;")
