"""A service as an indented outline: what is pressed, what comes then, in one language (pure).

Rules of the outline:
- An option stands behind its key; what it leads to is indented below it. What follows without a choice stands below
  what it follows, no deeper. Drawn is what happens when all goes well; where refusals lead, `graph` shows.
- `?` asks, `…` is a list, `■` is the last screen, `·` makes a call, `if` is a condition. A screen that several ways
  lead to is drawn once, with its name in brackets; the other ways name it. So has one that can be switched off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .leads import calls_of, switches
from .menu import (
    BY_NOTICE,
    RESERVED,
    WITH_OPTIONS,
    AskScreen,
    Do,
    EndScreen,
    Fill,
    Lead,
    ListScreen,
    Pattern,
    RouteScreen,
    Screen,
    Service,
    Words,
)

CHARACTERS_MAX = 100
"""A longer text is cut."""
CASES_MAX = 4
"""A route with more conditions, all of which only show something, is told in a line."""

_MARK = re.compile(r"<!-- outline (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def outline(service: Service, language: str = "") -> str:
    """The outline of a service; texts in `language`, where it has it."""
    drawing = _Drawing(service, language if language in service.languages else next(iter(service.languages)))
    return "\n".join(drawing.rows()) + "\n"


def page_with(page: str, services: Mapping[str, Service], language: str) -> str:
    """A page in Markdown, drawn anew between `<!-- outline NAME -->` and `<!-- end -->`. Raises ValueError."""

    def drawn(mark: re.Match[str]) -> str:
        if mark[1] not in services:
            raise ValueError(f"there is no service '{mark[1]}' to be outlined")
        service = services[mark[1]]
        return f"<!-- outline {mark[1]} -->\n{facts(service)}\n```text\n{outline(service, language)}```\n<!-- end -->"

    return _MARK.sub(drawn, page)


class _Drawing:
    """One outline being drawn: first without names, to see which screens need one."""

    def __init__(self, service: Service, language: str) -> None:
        self._service = service
        self._language = language
        self._drawn: set[str] = set()
        off = switches(service)
        self._named = {name for name in service.screens if f"{service.id}/{name}" in off}

    def rows(self) -> list[str]:
        list(self._beginnings())
        self._drawn = set()
        return list(self._beginnings())

    def _beginnings(self) -> Iterator[str]:
        service = self._service
        starts: dict[str, list[str]] = {}
        for code in service.dial:
            if not code.is_promise:
                starts.setdefault(code.go or service.start, []).append(str(code))
        for screen, codes in starts.items():
            yield ", ".join(codes)
            yield from self._screen(screen, 1)
        for pattern in service.sms.patterns if service.sms else ():
            yield f"SMS {_said(pattern)}"
            yield from self._screen(pattern.lead.go, 1)
        if service.sms:
            yield "any other SMS"
            yield from self._screen(service.sms.otherwise, 1)
        if service.open_to.otherwise:
            yield "from other networks"
            yield from self._screen(service.open_to.otherwise, 1)

    def _screen(self, name: str, depth: int, label: str | None = None) -> Iterator[str]:
        """A screen and what follows it. `label`: of the option above, which its text need not repeat."""
        before = "  " * depth
        if name in RESERVED:
            yield f"{before}{'■ answered by its own SMS' if name == BY_NOTICE else f'→ {name}'}"
            return
        if name in self._drawn:
            self._named.add(name)
            yield f"{before}→ [{name}]"
            return
        self._drawn.add(name)
        screen = self._service.screens[name]
        mark = f"  [{name}]" if name in self._named else ""
        line = self._line(screen)
        if line == label and not mark:
            depth -= 1
        elif line or mark:
            yield f"{before}{f'{line}{mark}'.strip()}"
        yield from self._ways_on(screen, depth)

    def _line(self, screen: Screen) -> str:
        if isinstance(screen, RouteScreen):
            return ""
        text = self._text(screen.text)
        if isinstance(screen, ListScreen):
            return f"… {text}: {self._items(screen)}"
        if isinstance(screen, AskScreen):
            return f"? {text}{' (kept secret)' if screen.secret else ''}"
        return f"■ {text}" if isinstance(screen, EndScreen) else text

    def _items(self, screen: ListScreen) -> str:
        listed = self._service.lists.get(".".join(screen.items[1:]), ()) if screen.items[0] == "lists" else ()
        shown = ", ".join(f"{at} {self._text(item.text)}" for at, item in enumerate(listed, 1))
        return shown or f"one of {'.'.join(screen.items)}"

    def _ways_on(self, screen: Screen, depth: int) -> Iterator[str]:
        if isinstance(screen, WITH_OPTIONS):
            for option in screen.options:
                label = self._text(option.text)
                yield f"{'  ' * (depth + 1)}{option.key} {label}"
                yield from self._call(option.do, depth + 2)
                if option.lead:
                    yield from self._screen(option.lead.go, depth + 2, label)
        elif not isinstance(screen, EndScreen):
            yield from self._call(screen.do, depth)
            if isinstance(screen, RouteScreen):
                yield from self._cases(screen, depth)
            elif screen.lead:
                yield from self._screen(screen.lead.go, depth)

    def _call(self, do: Do | None, depth: int) -> Iterator[str]:
        if do:
            yield f"{'  ' * depth}· {do.call}"
            yield from self._screen(do.done.go, depth) if isinstance(do.done, Lead) else ()

    def _cases(self, screen: RouteScreen, depth: int) -> Iterator[str]:
        names = [case.lead.go for case in screen.cases]
        if len(names) == 1:
            yield from self._screen(names[0], depth)
        elif len(names) > CASES_MAX and all(self._only_shows(name) for name in names):
            subject = next(
                (f", by {'.'.join(case.when.names[0])}" for case in screen.cases if case.when and case.when.names), ""
            )
            yield f"{'  ' * depth}one of {len(names)} screens{subject}"
            self._drawn.update(names)
        else:
            drawn = [list(self._screen(name, depth + 1)) for name in reversed(names)]  # what is usual stands last
            for at, (case, rows) in enumerate(zip(screen.cases, reversed(drawn), strict=True)):
                also = "else " if at else ""
                yield f"{'  ' * depth}{f'{also}if {case.when.text}' if case.when else 'else'}"
                yield from rows

    def _only_shows(self, name: str) -> bool:
        screen = self._service.screens.get(name)
        return isinstance(screen, EndScreen) or (isinstance(screen, WITH_OPTIONS) and not screen.options)

    def _text(self, words: Words) -> str:
        parts = words.by_language[self._language]
        text = "".join(f"‹{'.'.join(part.path[-2:])}›" if isinstance(part, Fill) else part for part in parts)
        line = " / ".join(each for each in text.split("\n") if each)
        return line if len(line) <= CHARACTERS_MAX else f"{line[: CHARACTERS_MAX - 1]}…"


def _said(pattern: Pattern) -> str:
    """What an SMS of this pattern says."""
    if pattern.secret:
        return f"a code of {pattern.digits} digits"
    second = ", ".join(pattern.choices) if pattern.choices else "a word"
    more = " and a number" if pattern.number else f" and {second}" if pattern.save else ""
    return f"{', '.join(pattern.words)}{more}"


def facts(service: Service) -> str:
    """Codes, networks, languages, operations and switches of a service, as a table in Markdown."""
    short = service.sms.to if service.sms else ()
    codes = (*(f"`{code}`" for code in service.dial), *(f"SMS to `{to}`" for to in short))
    calls = dict.fromkeys(do.call for screen in service.screens.values() for do in calls_of(screen))
    off = switches(service)
    whole = [service.id] if service.dial or service.sms else []
    rows = (
        ("codes", ", ".join(codes)),
        ("networks", ", ".join(service.open_to.networks) or "all"),
        ("languages", f"{', '.join(service.languages)}; the first where none was chosen"),
        ("operations", ", ".join(f"`{call}`" for call in calls)),
        ("can be switched off", ", ".join(f"`{name}`" for name in dict.fromkeys((*whole, *off)))),
        ("in words of its own", ", ".join(f"`{name}`" for name in off) or "nothing: the engine's own words are told"),
    )
    return "\n".join(("| | |", "|---|---|", *(f"| {name} | {what} |" for name, what in rows))) + "\n"
