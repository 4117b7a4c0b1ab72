"""Walking a menu: a session and an input in; a session and a screen, or a call to make, out.

Rules of this file (pure: no I/O, no clock, no randomness):
- The walk decides and never does: it returns `Make` with the call, and goes on in `resume` when the outcome is known.
- The session that comes in is never changed; what comes out is a new one.
- What was dialled after a code is answered step by step, each part by its own screen; it stops at the first part that
  does not fit, at a secret, and at any screen whose answer would change something: a link on a web page can dial.
- A secret lives in the call that is returned, and nowhere else.
"""

# long because: one walk, whose moves share one state

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import replace

from billing.calls import Call, Done, NotMade, Outcome, Refused, call_id
from sessions.session import Pending, Session

from . import answers, menu, wording
from .menu import (
    Again,
    AskScreen,
    Do,
    EndScreen,
    Lead,
    ListScreen,
    MenuScreen,
    Operand,
    Path,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
)
from .wording import Limits, Page


class Terms(NamedTuple):
    """Under what a screen is made: the dialect's limits, and the network's country and clock."""

    limits: Limits
    country: str
    currency: str
    time_zone: tzinfo


class Show(NamedTuple):
    """Show this screen and keep this session; `ends` closes the dialogue.

    An empty text is the end of an SMS that the core's own notice answers.
    """

    session: Session
    text: str
    ends: bool


class Make(NamedTuple):
    """Make this call, then `resume` with its outcome.

    A session whose call `changes` something is kept before the call is made; a call with a `secret` is never repeated.
    """

    session: Session
    call: Call
    changes: bool
    has_secret: bool


Step: TypeAlias = Show | Make


class MenuLoop(Exception):
    """A menu led through more than `STEPS_MAX` screens, or made more than `CALLS_MAX` calls, without showing one."""


def begin(service: Service, session: Session, parts: tuple[str, ...], terms: Terms) -> Step:
    """The first turn of a dialogue: from the start screen along what was dialled after the code."""
    walker = _Walker(service, session, terms)
    walker.parts = list(parts)
    return walker.enter(service.start if menu.serves(service, session.network) else service.open_to.otherwise)


def take_sms(service: Service, session: Session, text: str, terms: Terms) -> Step:
    """An SMS: its words are matched with the service's patterns; what follows is a walk whose end is the answer."""
    assert service.sms is not None, "the catalog gives SMS to services that take them"  # noqa: S101
    walker = _Walker(service, session, terms)
    words = answers.folded(text).split()
    for pattern in service.sms.patterns if words else ():
        value = answers.matched(pattern, words)
        if value is not None:
            walker.values = {**walker.values, pattern.save: value} if pattern.save else walker.values
            return walker.follow(pattern.lead)
    return walker.enter(service.sms.otherwise)


def answer(service: Service, session: Session, text: str, terms: Terms) -> Step:
    """A later turn: what the subscriber typed on the screen that the session remembers."""
    return _Walker(service, replace(session, turn=session.turn + 1), terms).take(answers.tidy(text))


def resume(service: Service, session: Session, outcome: Outcome, terms: Terms) -> Step:
    """Goes on where a `Make` stopped. The session is the one that `Make` carried (or the one kept before the call)."""
    pending = session.pending
    if pending is None:
        raise ValueError("a session without a pending call cannot be resumed")
    walker = _Walker(service, replace(session, pending=None), terms)
    return walker.settle(pending, outcome)


class _Walker:
    """One walk: what changes during a turn, until `keep` makes a new record of it."""

    __slots__ = (
        "dialled_at",
        "first",
        "history",
        "language",
        "parts",
        "screen",
        "service",
        "session",
        "terms",
        "tries",
        "values",
    )

    def __init__(self, service: Service, session: Session, terms: Terms) -> None:
        self.service = service
        self.session = session
        self.terms = terms
        self.screen = session.screen
        self.first = session.first
        self.history = session.history
        self.values: Mapping[str, Any] = session.values
        self.language = session.language
        self.tries = session.tries
        self.parts = list(session.parts)
        self.dialled_at = session.dialled_at if session.turn == 0 else ""

    # --- moving ---------------------------------------------------------------------------------------------------

    def enter(self, target: str) -> Step:
        """Goes to a screen, through routes and dialled parts, until there is something to show or a call to make."""
        for _ in range(menu.STEPS_MAX):
            if target == "back":
                return self.back()
            if target == menu.BY_NOTICE:
                return Show(self.keep(None, "", True), "", True)
            screen = self._arrive(self.service.start if target == "home" else target)
            if isinstance(screen, RouteScreen):
                if screen.do and screen.do.changes and self.dialled_at:
                    return self._stop_dialling()
                if screen.do:
                    return self._make(screen.id, "", screen.do, {})
                onward: Lead | Make | None = next(
                    case.lead for case in screen.cases if case.when is None or case.when.test(self.look)
                )
            elif isinstance(screen, ListScreen) and screen.empty and not self.items(screen):
                onward = Lead(screen.empty, screen.place)
            else:
                onward = self._dialled(screen) if self.parts else None
            if onward is None:
                return self.show(screen)
            if isinstance(onward, Lead):
                self._set(onward)
                target = onward.go
            else:
                return onward
        raise MenuLoop(f"service {self.service.id}: over {menu.STEPS_MAX} screens in one turn at '{target}'")

    def follow(self, lead: Lead) -> Step:
        self._set(lead)
        return self.enter(lead.go)

    def _stop_dialling(self) -> Step:
        """What was dialled led to a change: the screen that it answered is shown, and its answer typed by hand."""
        self.screen, self.first, self.history, self.parts = self.dialled_at, 0, (), []
        return self.show(self.service.screens[self.screen])

    def _arrive(self, target: str) -> Screen:
        left = self.service.screens.get(self.screen)
        if target == self.service.start:
            self.history = ()
        elif left is not None and left.id != target and not isinstance(left, RouteScreen):
            self.history = (*self.history, (left.id, self.first))[-menu.HISTORY_MAX :]
        self.screen, self.first, self.tries = target, 0, 0
        return self.service.screens[target]

    def back(self) -> Step:
        """The screen before, on the page where it was left; the start when there is none."""
        if not self.history:
            self.screen, self.first, self.tries = self.service.start, 0, 0
            return self.enter(self.service.start)
        *earlier, (self.screen, self.first) = self.history
        self.history, self.tries = tuple(earlier), 0
        return self.show(self.service.screens[self.screen])

    def _set(self, lead: Lead) -> None:
        for name, operand in lead.settings:
            value = self.operand(operand)
            if name == "language":
                self.language = value if isinstance(value, str) and value in self.service.languages else self.language
            else:
                self.values = {**self.values, name: value}

    # --- answers --------------------------------------------------------------------------------------------------

    def take(self, text: str) -> Step:
        screen = self.service.screens[self.screen]
        way = self._way(screen, text)
        if way is not None:
            return way
        chosen = self._chosen(screen, text)
        return self.wrong(screen, chosen) if isinstance(chosen, str) else self._go_on(screen, chosen)

    def _way(self, screen: Screen, text: str) -> Step | None:
        """Back, home and more, where they are open."""
        keys = self.service.keys
        if text == keys.more and not isinstance(screen, AskScreen):
            following = self._page(screen, "").next_first
            return None if following is None else self._turn_to(screen, following)
        if text not in (keys.back, keys.home) or (isinstance(screen, AskScreen) and not screen.back_keys):
            return None
        if text == keys.back and self.first > 0:
            return self._turn_to(screen, self._page_before(screen))
        if not self.history:
            return None
        return self.back() if text == keys.back else self.enter("home")

    def _turn_to(self, screen: Screen, first: int) -> Step:
        self.first, self.tries = first, 0
        return self.show(screen)

    def _page_before(self, screen: Screen) -> int:
        here = self.first

        def page_from(first: int) -> Page:
            self.first = first
            page = self._page(screen, "")
            return page._replace(next_first=None) if (page.next_first or here) >= here else page

        starts = wording.page_starts(page_from)
        self.first = here
        return starts[-1]

    def _chosen(self, screen: Screen, text: str) -> _Choice | str:
        """What this input chooses on the screen, or the reason why it is wrong (may be empty: the engine's own)."""
        if isinstance(screen, MenuScreen | ShowScreen):
            option = next((option for option in screen.options if option.key == text), None)
            return "" if option is None else _Choice(option.id, option.lead, option.do, {}, {})
        if isinstance(screen, ListScreen):
            items = self.items(screen)
            index = int(text) - 1 if text.isascii() and text.isdigit() and len(text) < 4 else -1
            if not 0 <= index < len(items) or text[0] == "0":
                return ""
            saved = {screen.save: items[index]} if screen.save else {}
            return _Choice("", screen.lead, screen.do, saved, {})
        if isinstance(screen, AskScreen):
            return self._typed(screen, text)
        return ""

    def _typed(self, screen: AskScreen, text: str) -> _Choice | str:
        value: Any = text
        if not text:
            return ""
        for check in screen.checks:
            bounds = answers.Bounds(self._bound(check.least), self._bound(check.most))
            value = answers.read(check.kind, text, bounds, self.terms.country, self.terms.currency)
            if value is None:
                return self.fill(check.reason) or " "
        if screen.secret:
            return _Choice("", screen.lead, screen.do, {}, {screen.secret: value})
        return _Choice("", screen.lead, screen.do, {screen.save: value} if screen.save else {}, {})

    def _bound(self, operand: Operand | None) -> Any:
        return None if operand is None else self.operand(operand)

    def _go_on(self, screen: Screen, choice: _Choice) -> Step:
        if choice.saved:
            self.values = {**self.values, **choice.saved}
        if choice.do is not None:
            return self._make(screen.id, choice.option, choice.do, choice.secrets)
        assert choice.lead is not None, "the reader of menus gives every choice a lead or a call"  # noqa: S101
        return self.follow(choice.lead)

    def wrong(self, screen: Screen, reason: str) -> Step:
        """The question once more with the reason above it; after too many tries, where the menu says."""
        self.tries += 1
        tries = None if isinstance(screen, EndScreen | RouteScreen) else screen.tries
        if tries is not None and self.tries >= tries.most:
            return self.enter(tries.then)
        return self.show(screen, reason.strip() or answers.NO_SUCH_OPTION[self.language])

    def _dialled(self, screen: Screen) -> Lead | Make | None:
        """What the next dialled part does on this screen; None stops here and shows it."""
        text = answers.tidy(self.parts.pop(0))
        stops = isinstance(screen, EndScreen) or (isinstance(screen, AskScreen) and screen.secret)
        chosen = "" if stops or not text else self._chosen(screen, text)
        if isinstance(chosen, str) or (chosen.do is not None and chosen.do.changes):
            self.parts = []
            return None
        self.dialled_at = screen.id
        if chosen.saved:
            self.values = {**self.values, **chosen.saved}
        return self._make(screen.id, chosen.option, chosen.do, {}) if chosen.do else chosen.lead

    # --- calls ----------------------------------------------------------------------------------------------------

    def _make(self, screen: str, option: str, do: Do, secrets: Mapping[str, str]) -> Make:
        arguments: dict[str, Any] = {}
        plain: dict[str, Any] = {}
        for name, operand in do.arguments:
            if operand.path and operand.path[0] in secrets:
                arguments[name] = secrets[operand.path[0]]
            else:
                arguments[name] = plain[name] = self.operand(operand)
        session = self.session
        name = call_id(session.id, session.turn, f"{screen}/{do.call}")
        pending = Pending(screen, option, name, do.call, plain)
        call = Call(name, do.call, session.msisdn, self.language, arguments, by_sms=self.service.sms is not None)
        return Make(self.keep(pending), call, do.changes, len(plain) < len(arguments))

    def settle(self, pending: Pending, outcome: Outcome) -> Step:
        """Where the outcome of the pending call leads."""
        screen = self.service.screens[pending.screen]
        do = _do_of(screen, pending.option)
        if isinstance(outcome, Done):
            if do.into:
                self.values = {**self.values, do.into: dict(outcome.result)}
            return self.follow(do.done)
        if isinstance(outcome, Refused):
            self.values = {**self.values, "refused": {"code": outcome.code, **outcome.details}}
            onward = do.refused.get(outcome.code) or do.refused["*"]
        else:
            onward = do.not_made if isinstance(outcome, NotMade) else do.unknown
        if isinstance(onward, Again):
            self.parts = []
            return self.wrong(screen, self.fill(onward.reason))
        return self.follow(onward)

    # --- names ----------------------------------------------------------------------------------------------------

    def look(self, path: Path) -> Any:
        """The value of a dotted name, or None."""
        if path[0] == "subscriber":
            return self._subscriber(path[1]) if len(path) == 2 else None
        return menu.value_at(self.values, path)

    def _subscriber(self, name: str) -> str | None:
        session = self.session
        known = {
            "msisdn": session.msisdn,
            "network": session.network,
            "brand": session.brand,
            "status": session.status,
            "language": self.language,
        }
        return known.get(name)

    def operand(self, operand: Operand) -> Any:
        return self.look(operand.path) if operand.path else operand.constant

    def items(self, screen: ListScreen) -> tuple[dict[str, Any], ...]:
        """The list's entries as they are now, at most 97 of them."""
        if screen.items[0] == "lists":
            items = self.service.lists[screen.items[1]]
            return tuple({"id": item.id, "text": self.fill(item.text)} for item in items)
        found = self.look(screen.items)
        return tuple(found[: menu.OPTIONS_MAX]) if isinstance(found, list) else ()

    def fill(self, words: menu.Words) -> str:
        return wording.fill(words.by_language[self.language], self.look, self.language, self.terms.time_zone)

    # --- screens --------------------------------------------------------------------------------------------------

    def show(self, screen: Screen, reason: str = "") -> Step:
        if isinstance(screen, ListScreen) and screen.empty and not self.items(screen):
            return self.enter(screen.empty)
        self.parts = []
        page = self._page(screen, reason)
        ends = isinstance(screen, EndScreen)
        return Show(self.keep(None, page.text, ends), page.text, ends)

    def _page(self, screen: Screen, reason: str) -> Page:
        """The page of the screen that begins at `first`."""
        limits = self.terms.limits
        if isinstance(screen, EndScreen):
            return Page(wording.cut(self.fill(screen.text), limits), None)
        keys_open = bool(self.history) and not (isinstance(screen, AskScreen) and not screen.back_keys)
        turns_back = self.first > 0
        ways = wording.ways(self.language, self.service.keys, keys_open or turns_back, len(self.history) > 1)
        title, lines = self._face(screen)
        if isinstance(screen, MenuScreen | ListScreen):
            return wording.option_page(title, lines, self.first, reason, ways, limits)
        if isinstance(screen, ShowScreen):
            return wording.text_page(title, lines, self.first, reason, ways, limits)
        ways_below = " ".join(filter(None, (ways.back, ways.home))) if keys_open else ""
        return Page(wording.cut("\n".join(filter(None, (reason, title, ways_below))), limits), None)

    def _face(self, screen: Screen) -> menu.Face:
        """The title and the option lines of a screen in the session's language."""
        static = self.service.faces.get((screen.id, self.language))
        if static is not None:
            return static
        assert not isinstance(screen, RouteScreen), "a route is never shown"  # noqa: S101
        title = self.fill(screen.text)
        if isinstance(screen, ListScreen):
            shown = [self._item_text(screen, item) for item in self.items(screen)]
            return menu.Face(title, tuple(f"{number} {text}" for number, text in enumerate(shown, 1)))
        options = screen.options if isinstance(screen, MenuScreen | ShowScreen) else ()
        return menu.Face(title, tuple(f"{option.key} {self.fill(option.text)}" for option in options))

    def _item_text(self, screen: ListScreen, item: Mapping[str, Any]) -> str:
        if screen.item is None:
            return str(item.get("text", ""))
        template = screen.item.by_language[self.language]
        return wording.fill(template, _item_lookup(item, self.look), self.language, self.terms.time_zone)

    def keep(self, pending: Pending | None, shown: str = "", ended: bool = False) -> Session:
        """A new session of what the walk has become."""
        return replace(
            self.session,
            screen=self.screen,
            first=self.first,
            history=self.history,
            values=self.values,
            language=self.language,
            tries=self.tries,
            parts=tuple(self.parts),
            dialled_at=self.dialled_at if pending else "",
            pending=pending,
            shown=shown,
            ended=ended,
        )


class _Choice(NamedTuple):
    """What an input has chosen: where it leads or which call it makes, and what it leaves behind."""

    option: str
    lead: Lead | None
    do: Do | None
    saved: Mapping[str, Any]
    secrets: Mapping[str, str]


def _do_of(screen: Screen, option: str) -> Do:
    if isinstance(screen, MenuScreen | ShowScreen):
        do = next(each.do for each in screen.options if each.id == option)
    else:
        do = None if isinstance(screen, EndScreen) else screen.do
    if do is None:
        raise ValueError(f"screen '{screen.id}' makes no call")
    return do


def _item_lookup(item: Mapping[str, Any], look: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda path: menu.value_at(item, path[1:]) if path[0] == "item" else look(path)
