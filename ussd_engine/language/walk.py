"""Walking a menu: a session and an input in; a session and a screen, or a call to make, out.

Rules of this file (pure: no I/O, no clock, no randomness):
- The walk decides and never does: it returns `Make` with the call, and goes on in `resume` when the outcome is known.
- The session that comes in is never changed; what comes out is a new one.
- What was dialled after a code is answered step by step, each part by its own screen; it stops at the first part that
  does not fit, at a secret, and at any screen whose answer would change something (`Do.typed`): a link on a web page
  can dial.
- A secret lives in the call that is returned, and nowhere else; what a confidential screen shows lives for one turn.
- What stands before a screen (maintenance, `requires`, `needs`) is looked at whenever it is led to, in this order.
"""

# long because: one walk, whose moves share one state

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import replace

from billing.calls import Call, Done, NotMade, Outcome, Refused, call_id
from sessions.session import Pending, Session

from .. import msisdn
from . import answers, compiled, expression, menu, pages, wording
from .menu import (
    WITH_CODES,
    WITH_OPTIONS,
    Again,
    AskScreen,
    Do,
    EndScreen,
    Guard,
    Lead,
    ListScreen,
    MenuScreen,
    Operand,
    Path,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
    Words,
)
from .menu_parts import TRUSTS
from .pages import Limits, Lines, Page

ENTERED, ANSWERED, WRONG, CUT, NOT_MANAGED = "entered", "answered", "wrong", "cut", "not managed"
"""What a turn can have done on a screen; CUT: something did not fit; NOT_MANAGED: its call is not for who manages."""


NUMBER_CHARACTERS = 11
"""Of the number that is spoken for, above every screen: as people write it, without spaces."""


class Terms(NamedTuple):
    """Under what a screen is made: the dialect's limits, the network's country and clock, how far the link is trusted,
    and what is switched off (`service`, `service/screen`, `service/screen/option`)."""

    limits: Limits
    country: str
    currency: str
    time_zone: tzinfo
    trust: str = "operator"
    off: frozenset[str] = frozenset()


Mark: TypeAlias = tuple[str, str]
"""Something that happened on the way, and on which screen or option."""


class Show(NamedTuple):
    """Show this screen and keep this session; `ends` closes the dialogue.

    An empty text is the end of an SMS that the core's own notice answers. `again`: what a repeat shows instead, when
    the screen is confidential.
    """

    session: Session
    text: str
    ends: bool
    again: str = ""
    marks: tuple[Mark, ...] = ()


class Make(NamedTuple):
    """Make this call, then `resume` with its outcome.

    A session whose call `changes` something is kept before the call is made; a call with a `secret` is never repeated.
    """

    session: Session
    call: Call
    changes: bool
    has_secret: bool
    marks: tuple[Mark, ...] = ()


Step: TypeAlias = Show | Make
_STEPS = (Show, Make)


class MenuLoop(Exception):
    """A menu led through more than `STEPS_MAX` screens, or made more than `CALLS_MAX` calls, without showing one."""


def begin(service: Service, session: Session, parts: tuple[str, ...], terms: Terms, go: str = "") -> Step:
    """The first turn of a dialogue: from the start screen (or `go`) along what was dialled after the code."""
    walker = _Walker(service, session, terms)
    walker.parts = list(parts)
    if not menu.serves(service, session.network):
        return walker.enter(service.open_to.otherwise)
    if service.guard is not None:
        stopped = walker.stopped_by(service.guard, service.id)
        if stopped is not None:
            return walker.turned_away(stopped)
    return walker.enter(go or service.start)


def take_sms(service: Service, session: Session, text: str, terms: Terms) -> Step:
    """An SMS: its words are matched with the service's patterns; what follows is a walk whose end is the answer."""
    assert service.sms is not None, "the catalog gives SMS to services that take them"  # noqa: S101
    walker = _Walker(service, session, terms)
    if service.guard is not None:
        stopped = walker.stopped_by(service.guard, service.id)
        if stopped is not None:
            return walker.turned_away(stopped)
    words = answers.folded(text).split()
    for pattern in service.sms.patterns if words else ():
        value = answers.matched(pattern, words, terms.country)
        if value is not None:
            name = pattern.save or pattern.number
            walker.values = {**walker.values, name: value} if name else walker.values
            walker.secrets = {pattern.secret: value} if pattern.secret else {}
            return walker.follow(pattern.lead)
    return walker.enter(service.sms.otherwise)


def answer(service: Service, session: Session, text: str, terms: Terms) -> Step:
    """A later turn: what the subscriber typed on the screen that the session remembers."""
    walker = _Walker(service, session, terms)
    walker.turn = session.turn + 1
    return walker.take(answers.tidy(text))


def resume(service: Service, session: Session, outcome: Outcome, terms: Terms) -> Step:
    """Goes on where a `Make` stopped. The session is the one that `Make` carried (or the one kept before the call)."""
    pending = session.pending
    if pending is None:
        raise ValueError("a session without a pending call cannot be resumed")
    return _Walker(service, session, terms).settle(pending, outcome)


def can_be_resumed(service: Service, session: Session) -> bool:
    """Whether a dialogue that was cut off here may go on: never past a call that may have changed something, never at a
    secret or where the menu says so; at its first screen there is nothing to go on with."""
    screen = service.screens.get(session.screen)
    if session.ended or session.changed or session.pending is not None or screen is None:
        return False
    if screen.id == service.start and not session.first:
        return False
    return not isinstance(screen, menu.UNSEEN_OR_LAST) and screen.resumes


def show_again(service: Service, session: Session, terms: Terms) -> Step:
    """The screen that the session stands on, once more."""
    walker = _Walker(service, session, terms)
    return walker.show(service.screens[session.screen])


def call_of(session: Session, name: str, operation: str, language: str, arguments: Mapping[str, Any]) -> Call:
    """The call with this id: about one's own number, or the managed one that is spoken for."""
    if session.acting_for:
        return Call(name, operation, session.acting_for, language, arguments, by=session.msisdn)
    return Call(name, operation, session.msisdn, language, arguments)


class _Walker:
    """One walk: what changes during a turn, until `keep` makes a new record of it."""

    __slots__ = (
        "acting_for",
        "changed",
        "charges",
        "codes",
        "dialled_at",
        "first",
        "history",
        "language",
        "marks",
        "parts",
        "path",
        "screen",
        "secrets",
        "service",
        "session",
        "terms",
        "tries",
        "turn",
        "values",
        "wanted",
    )

    def __init__(self, service: Service, session: Session, terms: Terms) -> None:
        self.service = service
        self.session = session
        self.terms = terms
        self.turn = session.turn
        self.screen = session.screen
        self.first = session.first
        self.history = session.history
        self.values: Mapping[str, Any] = session.values
        self.codes: Mapping[str, Mapping[str, Any]] = {}
        self.secrets: Mapping[str, str] = {}
        self.language = session.language
        self.acting_for = session.acting_for
        self.tries = session.tries
        self.parts = list(session.parts) if session.parts else []
        self.dialled_at = session.dialled_at if session.turn == 0 else ""
        self.path = session.path
        self.wanted = session.wanted
        self.changed = session.changed
        self.charges = session.charges
        self.marks: list[Mark] = []

    # --- moving ---------------------------------------------------------------------------------------------------

    def enter(self, target: str) -> Step:
        """Goes to a screen, through routes and dialled parts, until there is something to show or a call to make."""
        for _ in range(menu.STEPS_MAX):
            if target in menu.RESERVED:
                if target == menu.BACK:
                    return self.back()
                if target == menu.BY_NOTICE:
                    return self._ended_by_notice()
                target, self.wanted = (self.wanted or self.service.start), ""
                continue
            screen = self.service.screens[target]
            if not isinstance(screen, EndScreen) and screen.guard is not None:
                stopped = self._before(screen.guard, screen.id)
                if isinstance(stopped, str):
                    target = stopped
                    continue
                if stopped is not None:
                    return self._close(stopped)
            self._arrive(screen)
            onward = self._onward(screen)
            if onward is None:
                return self.show(screen)
            if isinstance(onward, _STEPS):
                return onward
            self._set(onward)
            target = onward.go
        raise MenuLoop(f"service {self.service.id}: over {menu.STEPS_MAX} screens in one turn at '{target}'")

    def _onward(self, screen: Screen) -> Lead | Step | None:
        """Where a screen leads by itself, without anything typed; None: it is to be shown."""
        if isinstance(screen, RouteScreen):
            if screen.do is None:
                return next(
                    case.lead for case in screen.cases if case.when is None or expression.holds(case.when, self.look)
                )
            if screen.do.typed and self.dialled_at:
                return self._stop_dialling()
            return self._make(screen.id, "", screen.do, self.secrets)
        if isinstance(screen, ListScreen):
            elsewhere = self._elsewhere(screen)
            if elsewhere:
                return Lead(elsewhere, screen.place)
        return self._dialled(screen) if self.parts else None

    def _elsewhere(self, screen: ListScreen) -> str:
        """The screen that stands in for a list without items, or with too many."""
        if not screen.empty and not screen.narrow:
            return ""
        count = self._count_items(screen)
        if not count:
            return screen.empty
        return screen.narrow if count > menu.OPTIONS_MAX else ""

    def follow(self, lead: Lead) -> Step:
        self._set(lead)
        return self.enter(lead.go)

    def _stop_dialling(self) -> Step:
        """What was dialled led to a change: the screen that it answered is shown, and its answer typed by hand."""
        seen = [name for name, _ in self.history]
        if self.dialled_at in seen:
            self.history = self.history[: seen.index(self.dialled_at)]
        self.screen, self.first, self.parts, self.path = self.dialled_at, 0, [], self.path[:-1]
        return self.show(self.service.screens[self.screen])

    def _arrive(self, screen: Screen) -> None:
        left = self.screen
        if screen.id == self.service.start:
            self.history = ()
        elif left and left != screen.id and not isinstance(self.service.screens.get(left, screen), RouteScreen):
            self.history = (*self.history, (left, self.first))[-menu.HISTORY_MAX :]
        self.screen, self.first, self.tries = screen.id, 0, 0

    def back(self) -> Step:
        """The screen before, on the page where it was left; the start when there is none."""
        if not self.history:
            self.screen, self.first, self.tries = "", 0, 0
            return self.enter(self.service.start)
        *earlier, (self.screen, self.first) = self.history
        self.history, self.tries = tuple(earlier), 0
        return self.show(self.service.screens[self.screen])

    def _set(self, lead: Lead) -> None:
        for name, operand in lead.settings:
            value = self.operand(operand)
            if name == "language":
                self.language = value if isinstance(value, str) and value in self.service.languages else self.language
            elif name == "acting_for":
                self.acting_for = value if isinstance(value, str) else ""
            else:
                self.values = {**self.values, name: value}

    # --- what stands before a screen ------------------------------------------------------------------------------

    def _before(self, guard: Guard, name: str) -> str | Words | None:
        """What is shown or entered instead of a guarded screen; None: the way is free."""
        stopped = self.stopped_by(guard, f"{self.service.id}/{name}")
        if stopped is not None:
            self.parts = []
            return stopped
        for each in guard.needs:
            need = self.service.needs[each]
            if not expression.holds(need.when, self.look):
                self.wanted = name
                return need.settle
        return None

    def stopped_by(self, guard: Guard, switch: str) -> str | Words | None:
        """The screen or the words for who may not pass; `switch`: the name under which it is switched off."""
        if guard.maintenance is not None and switch in self.terms.off:
            return guard.maintenance
        requires = guard.requires
        if requires is None:
            return None
        trusted = not requires.trust or TRUSTS.index(self.terms.trust) >= TRUSTS.index(requires.trust)
        allowed = not requires.statuses or self.session.status in requires.statuses
        return None if trusted and allowed else requires.otherwise

    def turned_away(self, stopped: str | Words) -> Step:
        """What who may not pass gets."""
        self.parts = []
        return self.enter(stopped) if isinstance(stopped, str) else self._close(stopped)

    def _close(self, words: Words) -> Show:
        """A last screen that is none of the menu's."""
        page = pages.end_page(self._under_number(self.fill(words)), self.terms.limits)
        return Show(self.keep(None, page.text, True), page.text, True, "", tuple(self.marks))

    def _ended_by_notice(self) -> Show:
        return Show(self.keep(None, "", True), "", True, "", tuple(self.marks))

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
        if text not in (keys.back, keys.home) or (isinstance(screen, AskScreen) and text not in screen.open_keys):
            return None
        if text == keys.back and self.first > 0:
            return self._turn_to(screen, self._page_before(screen))
        if not self.history:
            return None
        return self.back() if text == keys.back else self.enter(menu.HOME)

    def _turn_to(self, screen: Screen, first: int) -> Step:
        self.first, self.tries = first, 0
        return self.show(screen)

    def _page_before(self, screen: Screen) -> int:
        """Where the page before begins: pages are laid out from the first until this one."""
        here, face = self.first, self._face(screen)

        def page_from(first: int) -> Page:
            self.first = first
            page = self._page(screen, "", face)
            return page._replace(next_first=None) if (page.next_first or here) >= here else page

        starts = pages.page_starts(page_from)
        self.first = here
        return starts[-1]

    def _chosen(self, screen: Screen, text: str) -> _Choice | str:
        """What this input chooses on the screen, or the reason why it is wrong (may be empty: the engine's own)."""
        if isinstance(screen, WITH_OPTIONS):
            for option in screen.options:
                if option.key == text:
                    return _Choice(option.step, option.id, option.lead, option.do, option.guard)
            return ""
        if isinstance(screen, ListScreen):
            items = self.items(screen)
            index = int(text) - 1 if text.isascii() and text.isdigit() and len(text) < 4 else -1
            if not 0 <= index < len(items) or text[0] == "0":
                return ""
            saved = {screen.save: compiled.kept(items[index], screen.keeps)} if screen.save else {}
            return _Choice(screen.id, "", screen.lead, screen.do, None, saved)
        return self._typed(screen, text) if isinstance(screen, AskScreen) else ""

    def _typed(self, screen: AskScreen, text: str) -> _Choice | str:
        value: Any = text
        if not text:
            return answers.NOTHING_TYPED[self.language]
        for check in screen.checks:
            bounds = answers.Bounds(self._bound(check.least), self._bound(check.most))
            value = answers.read(check, text, bounds, self._where())
            if value is None:
                return self.fill(check.reason) or " "
        if screen.secret:
            return _Choice(screen.id, "", screen.lead, screen.do, None, {}, {screen.secret: value})
        return _Choice(screen.id, "", screen.lead, screen.do, None, {screen.save: value})

    def _where(self) -> answers.Where:
        terms = self.terms
        today = datetime.fromtimestamp(self.session.started_at, UTC).astimezone(terms.time_zone).date()
        return answers.Where(terms.country, terms.currency, today)

    def _bound(self, operand: Operand | None) -> Any:
        return None if operand is None else self.operand(operand)

    def _go_on(self, screen: Screen, choice: _Choice) -> Step:
        self._step(choice)
        if choice.guard is not None:
            stopped = self.stopped_by(choice.guard, f"{self.service.id}/{choice.step}")
            if stopped is not None:
                return self.turned_away(stopped)
        if choice.do is not None:
            return self._make(screen.id, choice.option, choice.do, choice.secrets)
        assert choice.lead is not None, "the reader of menus gives every choice a lead or a call"  # noqa: S101
        return self.follow(choice.lead)

    def _step(self, choice: _Choice) -> None:
        """An answer was taken: it is remembered by its ids, and what it saves is kept."""
        self.marks.append((ANSWERED, choice.step))
        if len(self.path) < menu.PATH_MAX:
            self.path = (*self.path, choice.step)
        if choice.saved:
            self.values = {**self.values, **choice.saved}

    def wrong(self, screen: Screen, reason: str) -> Step:
        """The question once more with the reason above it; after too many tries, where the menu says."""
        self.tries += 1
        self.marks.append((WRONG, screen.id))
        tries = None if isinstance(screen, menu.UNSEEN_OR_LAST) else screen.tries
        if tries is not None and self.tries >= tries.most:
            return self.enter(tries.then)
        return self.show(screen, reason.strip() or answers.NO_SUCH_OPTION[self.language])

    def _dialled(self, screen: Screen) -> Lead | Step | None:
        """What the next dialled part does on this screen; None stops here and shows it."""
        text = answers.tidy(self.parts.pop(0))
        stops = isinstance(screen, EndScreen) or (isinstance(screen, AskScreen) and bool(screen.secret))
        chosen = "" if stops or not text else self._chosen(screen, text)
        if isinstance(chosen, str) or (chosen.do is not None and chosen.do.typed):
            self.parts = []
            return None
        self.dialled_at = screen.id
        self._step(chosen)
        if chosen.guard is not None:
            stopped = self.stopped_by(chosen.guard, f"{self.service.id}/{chosen.step}")
            if stopped is not None:
                self.parts = []
                return Lead(stopped, screen.place) if isinstance(stopped, str) else self._close(stopped)
        return self._make(screen.id, chosen.option, chosen.do, {}) if chosen.do else chosen.lead

    # --- calls ----------------------------------------------------------------------------------------------------

    def _make(self, screen: str, option: str, do: Do, secrets: Mapping[str, str]) -> Step:
        arguments: dict[str, Any] = {}
        plain: dict[str, Any] = {}
        for name, operand in do.arguments:
            if operand.path and operand.path[0] in secrets:
                arguments[name] = secrets[operand.path[0]]
            else:
                arguments[name] = plain[name] = self.operand(operand)
        if self.acting_for and not do.by_manager:
            self.marks.append((NOT_MANAGED, screen))
            return self._otherwise(self.service.screens[screen], do.not_made)
        session = self.session
        name = call_id(session.id, self.turn, f"{screen}/{do.call}")
        if do.changes:
            self.changed = True
            self.charges = (*self.charges, (do.call, name))[-menu.CALLS_MAX :]
        pending = Pending(screen, option, name, do.call, plain)
        kept = self.keep(pending)
        call = call_of(kept, name, do.call, self.language, arguments)._replace(by_sms=self.service.sms is not None)
        return Make(kept, call, do.changes, len(plain) < len(arguments), tuple(self.marks))

    def settle(self, pending: Pending, outcome: Outcome) -> Step:
        """Where the outcome of the pending call leads."""
        screen = self.service.screens[pending.screen]
        do = _do_of(screen, pending.option)
        if isinstance(outcome, Done):
            if do.into:
                self._into(do, outcome.result)
            return self.follow(do.done)
        if isinstance(outcome, Refused):
            self.values = {**self.values, "refused": {"code": outcome.code, **outcome.details}}
            onward = do.refused.get(outcome.code) or do.refused["*"]
        else:
            onward = do.not_made if isinstance(outcome, NotMade) else do.unknown
        return self._otherwise(screen, onward)

    def _otherwise(self, screen: Screen, onward: Lead | Again) -> Step:
        if isinstance(onward, Again):
            self.parts = []
            return self.wrong(screen, self.fill(onward.reason))
        return self.follow(onward)

    def _into(self, do: Do, result: Mapping[str, Any]) -> None:
        """Keeps of a result what screens name; what is shown once lives for this turn."""
        keep = compiled.kept(dict(result), do.keeps)
        if do.once:
            told = {name: result[name] for name in do.once if name in result}
            self.codes = {do.into: told} if len(told) == len(do.once) else {}
            keep = {name: value for name, value in keep.items() if name not in do.once}
        self.values = {**self.values, do.into: keep}

    # --- names ----------------------------------------------------------------------------------------------------

    def look(self, path: Path) -> Any:
        """The value of a dotted name, or None."""
        head = path[0]
        if head == "subscriber":
            return self._subscriber(path[1]) if len(path) == 2 else None
        if head in self.codes and path[1:2] and path[1] in self.codes[head]:
            return menu.value_at(self.codes, path)
        return menu.value_at(self.values, path)

    def _subscriber(self, name: str) -> str | int | None:
        session = self.session
        known: dict[str, str | int | None] = {
            "msisdn": session.msisdn,
            "network": session.network,
            "brand": session.brand,
            "status": session.status,
            "language": self.language,
            "manages": session.manages,
            "acting_for": self.acting_for or None,
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

    def _count_items(self, screen: ListScreen) -> int:
        if screen.items[0] == "lists":
            return len(self.service.lists[screen.items[1]])
        found = self.look(screen.items)
        return len(found) if isinstance(found, list) else 0

    def fill(self, words: Words) -> str:
        return wording.fill(words.by_language[self.language], self.look, self.language, self.terms.time_zone)

    # --- screens --------------------------------------------------------------------------------------------------

    def show(self, screen: Screen, reason: str = "") -> Step:
        if isinstance(screen, ListScreen):
            elsewhere = self._elsewhere(screen)
            if elsewhere:
                return self.enter(elsewhere)
        self.parts = []
        page = self._page(screen, reason)
        ends = isinstance(screen, EndScreen)
        self.marks.append((ENTERED, screen.id))
        if page.cut:
            self.marks.append((CUT, screen.id))
        again = self._again(screen)
        return Show(self.keep(None, again or page.text, ends), page.text, ends, again, tuple(self.marks))

    def _again(self, screen: Screen) -> str:
        """What a repeat of a confidential screen shows, and the session keeps; "" for any other."""
        if not isinstance(screen, WITH_CODES) or screen.again is None:
            return ""
        return pages.end_page(self._under_number(self.fill(screen.again)), self.terms.limits).text

    def _page(self, screen: Screen, reason: str, face: tuple[str, Sequence[str]] | None = None) -> Page:
        """The page of the screen that begins at `first`."""
        limits = self.terms.limits
        title, lines = face or self._face(screen)
        if isinstance(screen, EndScreen):
            return pages.end_page(self._under_number(title), limits)
        if self.acting_for and isinstance(screen, MenuScreen | ListScreen):
            title = ""  # the number stands in its place, and is more than what was wrong
            page = self._page_with(screen, title, lines, self._under_number(reason))
            return self._page_with(screen, title, lines, self._under_number("")) if reason and page.cut else page
        return self._page_with(screen, title, lines, self._under_number(reason))

    def _page_with(self, screen: Screen, title: str, lines: Sequence[str], reason: str) -> Page:
        """The page with something above it: why an answer was wrong, or the number that is spoken for."""
        limits = self.terms.limits
        history = len(self.history)
        if isinstance(screen, AskScreen):
            keys, open_here = self.service.keys, screen.open_keys
            back, home = history > 0 and keys.back in open_here, history > 1 and keys.home in open_here
            ways = pages.ways(self.language, keys, back, home)
            text = "\n".join(filter(None, (reason, title, f"{ways.back} {ways.home}".strip())))
            return pages.end_page(text, limits)
        ways = pages.ways(self.language, self.service.keys, history > 0 or self.first > 0, history > 1)
        if isinstance(screen, ShowScreen):
            return pages.text_page(title, tuple(lines), self.first, reason, ways, limits)
        lay_out = pages.static_option_page if isinstance(lines, tuple) else pages.option_page
        return lay_out(title, lines, self.first, reason, ways, limits)

    def _under_number(self, text: str) -> str:
        """A text below the number that is spoken for; as it is when that is one's own."""
        if not self.acting_for:
            return text
        number = msisdn.shown(self.acting_for).replace(" ", "")[-NUMBER_CHARACTERS:]
        return f"{number}\n{text}" if text else number

    def _face(self, screen: Screen) -> tuple[str, Sequence[str]]:
        """The title and the option lines of a screen in the session's language."""
        static = self.service.faces[self.language].get(screen.id)
        if static is not None:
            return static.title, static.lines
        assert not isinstance(screen, RouteScreen), "a route is never shown"  # noqa: S101
        words = screen.text
        if isinstance(screen, WITH_CODES) and screen.again is not None and not self.codes:
            words = screen.again  # the code is gone
        title = self.fill(words)
        if isinstance(screen, ListScreen):
            items = self.items(screen)
            return title, Lines(len(items), lambda at: f"{at + 1} {self._item_text(screen, items[at])}")
        options = screen.options if isinstance(screen, WITH_OPTIONS) else ()
        return title, tuple(f"{option.key} {self.fill(option.text)}" for option in options)

    def _item_text(self, screen: ListScreen, item: Mapping[str, Any]) -> str:
        if screen.item is None:
            return str(item.get("text", ""))
        template = screen.item.by_language[self.language]
        return wording.fill(template, _item_lookup(item, self.look), self.language, self.terms.time_zone)

    def keep(self, pending: Pending | None, shown: str = "", ended: bool = False) -> Session:
        """A new session of what the walk has become."""
        return replace(
            self.session,
            turn=self.turn,
            screen=self.screen,
            first=self.first,
            history=self.history,
            values=self.values,
            language=self.language,
            acting_for=self.acting_for,
            tries=self.tries,
            parts=tuple(self.parts),
            dialled_at=self.dialled_at if pending else "",
            pending=pending,
            shown=shown,
            ended=ended,
            path=self.path,
            wanted=self.wanted,
            changed=self.changed,
            charges=self.charges,
        )


class _Choice(NamedTuple):
    """What an input has chosen: where it leads or which call it makes, and what it leaves behind."""

    step: str
    option: str
    lead: Lead | None
    do: Do | None
    guard: Guard | None
    saved: Mapping[str, Any] = {}
    secrets: Mapping[str, str] = {}


def _do_of(screen: Screen, option: str) -> Do:
    if isinstance(screen, WITH_OPTIONS):
        do = next(each.do for each in screen.options if each.id == option)
    else:
        do = None if isinstance(screen, EndScreen) else screen.do
    if do is None:
        raise ValueError(f"screen '{screen.id}' makes no call")
    return do


def _item_lookup(item: Mapping[str, Any], look: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda path: menu.value_at(item, path[1:]) if path[0] == "item" else look(path)
