"""A service as data: what a menu file means once it has been read and checked (pure, immutable).

Nothing here knows YAML or the walk. Screens and options are named by id; numbers that subscribers press are computed
when the file is read and stand in `Option.key`. Every part keeps its `place`, so that a mistake can be shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from strict_yaml import Place

from .expression import Expression

SCREENS_MAX = 500
OPTIONS_MAX = 97
"""Keys run from 1 to 97; 98 turns the page."""
STEPS_MAX = 32
"""Screens passed in one turn without stopping; more is a loop."""
CALLS_MAX = 8
"""Calls made in one turn; more is a loop."""
TURNS_MAX = 100
"""Inputs of one dialogue."""
HISTORY_MAX = 20
"""How many screens `back` remembers."""
TEXT_CHARACTERS_MAX = 2000

Path: TypeAlias = tuple[str, ...]


class Filter(NamedTuple):
    """One `|filter` of a placeholder, with its number where it has one (`cut:20`)."""

    name: str
    argument: int | None = None


class Fill(NamedTuple):
    """A placeholder `${path|filter}` in a text."""

    path: Path
    filters: tuple[Filter, ...] = ()


Template: TypeAlias = tuple[str | Fill, ...]
"""A text in one language: literal parts and placeholders, in order."""


class Words(NamedTuple):
    """One text in every language of the service."""

    by_language: Mapping[str, Template]
    place: Place


class Operand(NamedTuple):
    """The right side of `with` and `set`: a name to look up, or a constant."""

    path: Path
    constant: Any
    place: Place


class Lead(NamedTuple):
    """Where an outcome or an option goes, and what it sets on the way."""

    go: str
    place: Place
    settings: tuple[tuple[str, Operand], ...] = ()


class Again(NamedTuple):
    """The same screen once more with a reason above it; counts as a try."""

    reason: Words
    place: Place


Outcome: TypeAlias = Lead | Again


class Do(NamedTuple):
    """A call of the billing contract, and where each of its outcomes leads."""

    call: str
    arguments: tuple[tuple[str, Operand], ...]
    into: str
    done: Lead
    refused: Mapping[str, Outcome]
    unknown: Outcome
    not_made: Outcome
    changes: bool
    """The contract says that the call changes something."""
    place: Place


class Option(NamedTuple):
    """One line of a menu: its id for ever, its key for the thumb."""

    id: str
    key: str
    text: Words
    lead: Lead | None
    do: Do | None
    place: Place


class Check(NamedTuple):
    """What a typed answer must be; the first check that fails gives the reason."""

    kind: str
    least: Operand | None
    most: Operand | None
    reason: Words
    place: Place


class Tries(NamedTuple):
    """After so many wrong inputs on one visit of a screen, it leads on."""

    most: int
    then: str
    place: Place


class MenuScreen(NamedTuple):
    """Fixed options, paged when they are many."""

    id: str
    text: Words
    options: tuple[Option, ...]
    tries: Tries | None
    place: Place


class ListScreen(NamedTuple):
    """Options from data: a list of the file or one that a call returned."""

    id: str
    text: Words
    items: Path
    item: Words | None
    """How an item is shown; None: its `text`."""
    save: str
    lead: Lead | None
    do: Do | None
    empty: str
    """The screen when there is no item; "": the list's title stands alone."""
    tries: Tries | None
    place: Place


class AskScreen(NamedTuple):
    """One typed answer."""

    id: str
    text: Words
    save: str
    secret: str
    """The name under which the answer lives for this one turn; never stored."""
    checks: tuple[Check, ...]
    lead: Lead | None
    do: Do | None
    tries: Tries | None
    back_keys: bool
    """False when `0` or `00` could be the answer itself: then they are switched off here."""
    place: Place


class ShowScreen(NamedTuple):
    """A text that may run over pages, with options at its end."""

    id: str
    text: Words
    options: tuple[Option, ...]
    tries: Tries | None
    place: Place


class EndScreen(NamedTuple):
    """The last screen; the dialogue is over."""

    id: str
    text: Words
    place: Place


class Case(NamedTuple):
    """One line of a route; `when` None always holds."""

    when: Expression | None
    lead: Lead
    place: Place


class RouteScreen(NamedTuple):
    """No screen: a call to make, or the first condition that holds, leads on."""

    id: str
    cases: tuple[Case, ...]
    do: Do | None
    place: Place


BY_NOTICE = "notice"
"""Where an outcome goes when the core's own notice is the answer: an SMS service says nothing itself."""

Screen: TypeAlias = MenuScreen | ListScreen | AskScreen | ShowScreen | EndScreen | RouteScreen


class Item(NamedTuple):
    """An entry of a list that stands in the file."""

    id: str
    text: Words


class Pattern(NamedTuple):
    """What an SMS may say: one of these words first, then (if `save` names it) one word more; and where it leads."""

    words: tuple[str, ...]
    """As `answers.folded` writes them."""
    save: str
    choices: Mapping[str, str]
    """The second word → the value that `save` keeps; empty: any word, as it is."""
    lead: Lead
    place: Place


class Sms(NamedTuple):
    """The SMS that a service answers: to which short numbers, saying what; `otherwise` is the screen for the rest."""

    to: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    otherwise: str
    place: Place


class Keys(NamedTuple):
    """The engine's own keys."""

    back: str = "0"
    home: str = "00"
    more: str = "98"


class OpenTo(NamedTuple):
    """Who may enter: networks (none named: all), and the screen for everybody else ("" : the code is unknown there)."""

    networks: tuple[str, ...]
    otherwise: str
    place: Place


class Face(NamedTuple):
    """What a screen shows before it is laid out on pages: its title and its option lines, filled."""

    title: str
    lines: tuple[str, ...]


class Service(NamedTuple):
    """A whole menu file."""

    id: str
    version: str
    """A hash of the file: a dialogue keeps the version it started in."""
    languages: Mapping[str, str]
    """Code → the language's own name, the first is the default."""
    dial: tuple[Path, ...]
    open_to: OpenTo
    start: str
    lists: Mapping[str, tuple[Item, ...]]
    screens: Mapping[str, Screen]
    keys: Keys
    sms: Sms | None
    notices: Mapping[str, Words]
    """Event of the billing core → the SMS that tells of it."""
    faces: Mapping[tuple[str, str], Face]
    """Screens without placeholders, rendered when the file is read: (screen, language) → face."""
    place: Place


def serves(service: Service, network: str) -> bool:
    """Whether the service is there for subscribers of this network."""
    return not service.open_to.networks or network in service.open_to.networks


def value_at(values: Any, path: Path) -> Any:
    """What stands at a path of names in records within records; None where a name is missing."""
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def leads_of(screen: Screen) -> list[Outcome]:
    """Every way out of a screen except back and home."""
    found: list[Outcome] = []
    for do in calls_of(screen):
        found += [do.done, *do.refused.values(), do.unknown, do.not_made]
    if isinstance(screen, MenuScreen | ShowScreen):
        found += [option.lead for option in screen.options if option.lead]
    if isinstance(screen, ListScreen | AskScreen) and screen.lead:
        found.append(screen.lead)
    if isinstance(screen, RouteScreen):
        found += [case.lead for case in screen.cases]
    if isinstance(screen, ListScreen) and screen.empty:
        found.append(Lead(screen.empty, screen.place))
    if not isinstance(screen, EndScreen | RouteScreen) and screen.tries:
        found.append(Lead(screen.tries.then, screen.tries.place))
    return found


def calls_of(screen: Screen) -> list[Do]:
    """Every call that a screen can make."""
    if isinstance(screen, MenuScreen | ShowScreen):
        return [option.do for option in screen.options if option.do]
    if isinstance(screen, EndScreen):
        return []
    return [screen.do] if screen.do else []
