"""A service as data: what a menu file means once it has been read and checked (pure, immutable).

Nothing here knows YAML or the walk. Screens and options are named by id; numbers that subscribers press are computed
when the file is read and stand in `Option.key`. Every part keeps its `place`, so that a mistake can be shown. All parts
are plain records of msgspec: a compiled service is their octets (`compiled`).
"""

# long because: every record of the language, each with what its fields mean

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from strict_yaml import Place

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
PATH_MAX = 50
"""How many steps of a dialogue its record names."""
TEXT_CHARACTERS_MAX = 2000

Path: TypeAlias = tuple[str, ...]


class _Part(msgspec.Struct, frozen=True, array_like=True):
    """A part of a service; its fields stand in its octets in this order."""


# --- texts and names ------------------------------------------------------------------------------------------------


class Filter(_Part, frozen=True):
    """One `|filter` of a placeholder, with its number where it has one (`cut:20`)."""

    name: str
    argument: int | None = None


class Fill(_Part, frozen=True):
    """A placeholder `${path|filter}` in a text."""

    path: Path
    filters: tuple[Filter, ...] = ()


Template: TypeAlias = tuple[str | Fill, ...]
"""A text in one language: literal parts and placeholders, in order."""


class Words(_Part, frozen=True):
    """One text in every language of the service."""

    by_language: dict[str, Template]
    place: Place


class Operand(_Part, frozen=True):
    """The right side of `with` and `set`: a name to look up, or a constant."""

    path: Path
    constant: str | int | bool | None
    place: Place


class Expression(_Part, frozen=True):
    """A condition: its text, the names it looks at, and what it compares with. `expression.holds` tests it."""

    text: str
    names: tuple[Path, ...]
    constants: tuple[int | str, ...] = ()


# --- ways on --------------------------------------------------------------------------------------------------------

BY_NOTICE = "notice"
"""Where an outcome goes when the core's own notice is the answer: an SMS service says nothing itself."""
BACK, HOME, WANTED = "back", "home", "wanted"
"""Where a lead goes that names no screen: the one before, the start, and the one that sent us to settle a need."""
RESERVED = (BACK, HOME, WANTED, BY_NOTICE)
"""What no screen can be called."""


class Lead(_Part, frozen=True, tag="lead"):
    """Where an outcome or an option goes, and what it sets on the way."""

    go: str
    place: Place
    settings: tuple[tuple[str, Operand], ...] = ()


class Again(_Part, frozen=True, tag="again"):
    """The same screen once more with a reason above it; counts as a try."""

    reason: Words
    place: Place


Outcome: TypeAlias = Lead | Again

Kept: TypeAlias = "dict[str, Any] | None"
"""Which fields of a result are kept in the session: field → what of it; None is all."""


class Do(_Part, frozen=True):
    """A call of the billing contract, and where each of its outcomes leads."""

    call: str
    arguments: tuple[tuple[str, Operand], ...]
    into: str
    done: Lead
    refused: dict[str, Outcome]
    unknown: Outcome
    not_made: Outcome
    changes: bool
    """The contract says that the call changes something."""
    typed: bool
    """It is made by an answer that is typed on a screen alone: it changes something, and may not be dialled."""
    by_manager: bool
    """Who manages a number may make it for that number."""
    place: Place
    keeps: dict[str, Any] | None = None
    """What of the result a screen names, and is therefore kept."""
    once: tuple[str, ...] = ()
    """Fields of the result that a confidential screen shows: they live for this one turn."""


class Requires(_Part, frozen=True):
    """Who may pass: by the trust of their link, and by the status of their number; and the screen for all others."""

    trust: str
    """The least trust of the link: "" (any), partner or operator."""
    statuses: tuple[str, ...]
    """The statuses that may pass; empty: any."""
    otherwise: str
    place: Place


class Guard(_Part, frozen=True):
    """What stands before a service, a screen or an option."""

    requires: Requires | None = None
    maintenance: Words | None = None
    """The text while it is switched off."""
    needs: tuple[str, ...] = ()
    """Names of `Service.needs` that have to be settled first."""


class Need(_Part, frozen=True):
    """Something that has to hold before a screen: the condition, and the screen that settles it."""

    when: Expression
    settle: str
    place: Place


class Option(_Part, frozen=True):
    """One line of a menu: its id for ever, its key for the thumb."""

    id: str
    key: str
    text: Words
    lead: Lead | None
    do: Do | None
    guard: Guard | None
    step: str
    """`screen/option`, as records and counters name it."""
    place: Place


class Check(_Part, frozen=True):
    """What a typed answer must be; the first check that fails gives the reason."""

    kind: str
    least: Operand | None
    most: Operand | None
    words: tuple[str, ...]
    """The choices of a `choice`, or the form of an `inn`."""
    reason: Words
    place: Place


class Tries(_Part, frozen=True):
    """After so many wrong inputs on one visit of a screen, it leads on."""

    most: int
    then: str
    place: Place


# --- screens --------------------------------------------------------------------------------------------------------


class MenuScreen(_Part, frozen=True, tag="menu"):
    """Fixed options, paged when they are many."""

    id: str
    text: Words
    options: tuple[Option, ...]
    tries: Tries | None
    guard: Guard | None
    resumes: bool
    """Whether a dialogue that was cut off here can be resumed."""
    place: Place


class ListScreen(_Part, frozen=True, tag="list"):
    """Options from data: a list of the file or one that a call returned."""

    id: str
    text: Words
    items: Path
    item: Words | None
    """How an item is shown; None: its `text`."""
    save: str
    keeps: dict[str, Any] | None
    """Which fields of the chosen item are kept; None is all."""
    lead: Lead | None
    do: Do | None
    empty: str
    """The screen when there is no item; "": the list's title stands alone."""
    narrow: str
    """The screen when there are more items than can be shown; "": the first of them are shown."""
    tries: Tries | None
    guard: Guard | None
    resumes: bool
    place: Place


class AskScreen(_Part, frozen=True, tag="ask"):
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
    open_keys: tuple[str, ...]
    """Which of the engine's keys for back and home are open: one that could be the answer itself is not."""
    guard: Guard | None
    resumes: bool
    place: Place


class ShowScreen(_Part, frozen=True, tag="show"):
    """A text that may run over pages, with options at its end."""

    id: str
    text: Words
    options: tuple[Option, ...]
    tries: Tries | None
    again: Words | None
    """The screen is confidential: shown once, never stored; whoever comes back to it sees this."""
    guard: Guard | None
    resumes: bool
    place: Place


class EndScreen(_Part, frozen=True, tag="end"):
    """The last screen; the dialogue is over."""

    id: str
    text: Words
    again: Words | None
    """As in `ShowScreen`."""
    place: Place


class Case(_Part, frozen=True):
    """One line of a route; `when` None always holds."""

    when: Expression | None
    lead: Lead
    place: Place


class RouteScreen(_Part, frozen=True, tag="route"):
    """No screen: a call to make, or the first condition that holds, leads on."""

    id: str
    cases: tuple[Case, ...]
    do: Do | None
    guard: Guard | None
    place: Place


Screen: TypeAlias = MenuScreen | ListScreen | AskScreen | ShowScreen | EndScreen | RouteScreen

WITH_OPTIONS = (MenuScreen, ShowScreen)
"""The kinds that have options."""
WITH_CODES = (ShowScreen, EndScreen)
"""The kinds that can be confidential."""
UNSEEN_OR_LAST = (RouteScreen, EndScreen)
"""The kinds on which nothing is typed."""


# --- the whole ------------------------------------------------------------------------------------------------------


class Item(_Part, frozen=True):
    """An entry of a list that stands in the file."""

    id: str
    text: Words


class Pattern(_Part, frozen=True):
    """What an SMS may say: one of these words first, then (if `save` names it) one word more, or (`number`) somebody's
    number; or nothing but a code of so many digits; and where it leads."""

    words: tuple[str, ...]
    """As `answers.folded` writes them."""
    save: str
    choices: dict[str, str]
    """The second word → the value that `save` keeps; empty: any word, as it is."""
    number: str
    secret: str
    """The name under which the code lives for this one turn; never stored."""
    digits: int
    lead: Lead
    place: Place


class Sms(_Part, frozen=True):
    """The SMS that a service answers: to which short numbers, saying what; `otherwise` is the screen for the rest."""

    to: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    otherwise: str
    place: Place


class Keys(_Part, frozen=True):
    """The engine's own keys."""

    back: str = "0"
    home: str = "00"
    more: str = "98"


class OpenTo(_Part, frozen=True):
    """Who may enter: networks (none named: all), and the screen for everybody else ("" : the code is unknown there)."""

    networks: tuple[str, ...]
    otherwise: str
    place: Place


class Code(_Part, frozen=True):
    """What is dialled: `head` is the service's code, `steps` are answered by its screens one after the other.

    A step is a literal or a `{variable}`, which answers the screen that saves it under that name. `go`: the screen to
    begin with; "": the start. A code that has steps and no screen of its own is a promise: it is printed somewhere, and
    the linter sees to it that it keeps working.
    """

    head: Path
    steps: Path
    go: str
    place: Place

    @property
    def is_promise(self) -> bool:
        return bool(self.steps) and not self.go

    def __str__(self) -> str:
        return f"*{'*'.join(self.head + self.steps)}#"


class Face(_Part, frozen=True):
    """What a screen shows before it is laid out on pages: its title and its option lines, filled."""

    title: str
    lines: tuple[str, ...]


class Service(_Part, frozen=True):
    """A whole menu file."""

    id: str
    version: str
    """A hash of everything the service was made from: a dialogue keeps the version it started in."""
    languages: dict[str, str]
    """Code → the language's own name, the first is the default."""
    dial: tuple[Code, ...]
    open_to: OpenTo
    start: str
    needs: dict[str, Need]
    guard: Guard | None
    resume_seconds: int
    """How long after a cut the dialogue can be resumed; 0: never."""
    lists: dict[str, tuple[Item, ...]]
    screens: dict[str, Screen]
    keys: Keys
    sms: Sms | None
    notices: dict[str, Words]
    """Event of the billing core → the SMS that tells of it."""
    faces: dict[str, dict[str, Face]]
    """Screens without placeholders, rendered when the file is read: language → screen → face."""
    place: Place


def serves(service: Service, network: str) -> bool:
    """Whether the service is there for subscribers of this network."""
    return not service.open_to.networks or network in service.open_to.networks


def share_networks(one: Service, other: Service) -> bool:
    """Whether a subscriber can meet both."""
    mine, theirs = set(one.open_to.networks), set(other.open_to.networks)
    return not mine or not theirs or bool(mine & theirs)


def value_at(values: Any, path: Path) -> Any:
    """What stands at a path of names in records within records; None where a name is missing."""
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def is_variable(part: str) -> bool:
    """Whether a part of a code is a `{variable}`."""
    return part.startswith("{")


def changed(service: Service, **fields: Any) -> Service:
    """The service with some fields changed."""
    return msgspec.structs.replace(service, **fields)
