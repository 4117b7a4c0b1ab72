"""Whether the screens of a service hang together: each is there, is reached, and has a way out (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from strict_yaml import Mistake, Place, did_you_mean

from . import menu
from .leads import calls_of, guards_of, leads_of, needed_by, seen_before, ways_in
from .menu import (
    UNSEEN_OR_LAST,
    Again,
    AskScreen,
    EndScreen,
    Lead,
    ListScreen,
    MenuScreen,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
)
from .menu_screens import ALL_OF
from .shapes import Many, Names, NoSuchName, find, kind_of, many_at


def screens(service: Service, names: Names, broken: frozenset[str], begins: Iterable[str]) -> Iterator[Mistake]:
    """Every mistake in where screens lead. `begins`: screens that the engine itself shows."""
    missing = list(_targets(service, broken))
    yield from missing
    reached = reached_from(service, [lead.go for lead in ways_in(service)] + list(begins))
    begins_somewhere = bool(service.start or service.sms or list(begins) or any(code.go for code in service.dial))
    if not broken and not missing and begins_somewhere:  # else what could not be read or found may have led there
        for name in service.screens.keys() - reached:
            if "." not in name or not _is_from_part(service, name):
                cure = "Lead to it, or remove it."
                yield Mistake(service.screens[name].place, f"nothing leads to screen '{name}'", cure)
        yield from _no_way_out(service, reached)
    for screen in service.screens.values():
        if screen.id not in broken:
            yield from _of_one(screen, service, names)
        yield from _keys(screen, service)
    yield from _needs(service)


def reached_from(service: Service, names: Iterable[str]) -> set[str]:
    """The screens that can be reached from these."""
    reached: set[str] = set()
    ahead = list(names)
    while ahead:
        screen = service.screens.get(ahead.pop())
        if screen is None or screen.id in reached:
            continue
        reached.add(screen.id)
        ahead += [lead.go for lead in _onward(screen, service)]
    return reached


def without_unreached_parts(service: Service) -> Service:
    """The service without the screens of used files that nothing of it leads to."""
    reached = reached_from(service, [lead.go for lead in ways_in(service)])
    screens = {
        name: screen for name, screen in service.screens.items() if name in reached or not _is_from_part(service, name)
    }
    return service if len(screens) == len(service.screens) else menu.changed(service, screens=screens)


def _is_from_part(service: Service, name: str) -> bool:
    return service.screens[name].place.file != service.place.file


def _onward(screen: Screen, service: Service) -> list[Lead]:
    leads = [lead for lead in leads_of(screen) if isinstance(lead, Lead)] + needed_by(screen, service)
    return [Lead(service.start, lead.place) if lead.go == menu.HOME else lead for lead in leads]


def _targets(service: Service, broken: frozenset[str]) -> Iterator[Mistake]:
    """Every screen that is led to exists. `back`, `home` and `wanted` are ways out of a screen that was come to."""
    first = {lead.place for lead in ways_in(service)}
    on_the_way = (menu.BY_NOTICE,) if service.sms else (menu.BACK, menu.HOME, menu.WANTED, menu.BY_NOTICE)
    told: set[tuple[str, Place]] = set()
    for lead in [
        *ways_in(service),
        *(each for screen in service.screens.values() for each in _all_leads(screen, service)),
    ]:
        allowed = () if lead.place in first else on_the_way
        if lead.go in service.screens or lead.go in allowed or (lead.go, lead.place) in told:
            continue
        if lead.go in broken or lead.go.partition(".")[0] + ALL_OF in broken:
            continue
        told.add((lead.go, lead.place))
        if lead.go in menu.RESERVED:
            yield Mistake(lead.place, f"`{lead.go}` leads nowhere here", "Name a screen.")
        elif lead.go:
            yield Mistake(lead.place, f"there is no screen '{lead.go}'", _screen_meant(lead.go, service))


def _screen_meant(name: str, service: Service) -> str:
    prefix, dot, _ = name.partition(".")
    if dot and not any(each.startswith(f"{prefix}.") for each in service.screens):
        return f"Write `use: {{file: {prefix}.yaml, as: {prefix}}}` at the top, if it is a screen of that file."
    return did_you_mean(name, service.screens)


def _all_leads(screen: Screen, service: Service) -> list[Lead]:
    return [lead for lead in leads_of(screen) if isinstance(lead, Lead)] + needed_by(screen, service)


def _of_one(screen: Screen, service: Service, names: Names) -> Iterator[Mistake]:
    if service.sms and not isinstance(screen, menu.UNSEEN_OR_LAST):
        cure = "An SMS gets one answer: write an `end` or a `route`."
        yield Mistake(screen.place, f"screen '{screen.id}' waits for an answer", cure)
    if isinstance(screen, MenuScreen) and not screen.options:
        yield Mistake(screen.place, f"menu '{screen.id}' has no option", "Add one, or make it an `end`.")
    if isinstance(screen, ListScreen):
        yield from _list(screen, service, names)
    for lead in leads_of(screen):
        if isinstance(lead, Lead) and lead.go == menu.BY_NOTICE and not service.sms:
            yield Mistake(lead.place, "a notice can answer an SMS only", "Lead to a screen.")
        if isinstance(lead, Again) and isinstance(screen, RouteScreen):
            yield Mistake(lead.place, "a route has no screen to repeat", "Lead to a screen.")


def _list(screen: ListScreen, service: Service, names: Names) -> Iterator[Mistake]:
    for key, target in (("empty", screen.empty), ("narrow", screen.narrow)):
        if target == screen.id:
            yield Mistake(screen.place, f"list '{screen.id}' is its own `{key}`", "Lead to another screen.")
    if screen.items[0] == "lists":
        if screen.items[1] not in service.lists:
            what = f"there is no list 'lists.{screen.items[1]}'"
            yield Mistake(screen.place, what, did_you_mean(screen.items[1], service.lists))
        return
    if len(screen.items) == 1 and screen.items[0] in service.lists and not any(many_at(screen.items, names)):
        name = screen.items[0]
        yield Mistake(screen.place, f"'{name}' is a list of the file", f"Write `items: lists.{name}`.")
        return
    if screen.item is None and any("text" not in many.fields for many in many_at(screen.items, names)):
        fields = sorted({field for many in many_at(screen.items, names) for field in many.fields})
        what = f"the items of '{'.'.join(screen.items)}' have no 'text' to be shown"
        cure = f"Add `item:` with the text of a line, of item.{', item.'.join(fields)}."
        yield Mistake(screen.place, what, cure)
    if (kinds := _no_list(screen, names)) is not None:
        what = f"'{'.'.join(screen.items)}' is {kinds}, and no list"
        yield Mistake(screen.place, what, "Name a list of the file (lists.name), or one that a call returned.")
    most = max((many.most for many in many_at(screen.items, names)), default=0)
    if most > menu.OPTIONS_MAX and not screen.narrow:
        what = f"'{'.'.join(screen.items)}' can have more than {menu.OPTIONS_MAX} items"
        yield Mistake(screen.place, what, "Add `narrow: screen`, which asks to narrow the search.")


def _no_list(screen: ListScreen, names: Names) -> str | None:
    """What `items` names when it is not a list; a name that is not there is told of elsewhere."""
    try:
        others = [kind_of(shape) for shape in find(screen.items, names) if not isinstance(shape, Many)]
    except NoSuchName:
        return None
    return others[0] if others else None


def _keys(screen: Screen, service: Service) -> Iterator[Mistake]:
    """An option under one of the engine's own keys would never be reached."""
    own = (service.keys.back, service.keys.home, service.keys.more)
    for option in screen.options if isinstance(screen, MenuScreen | ShowScreen) else ():
        if option.key in own:
            yield Mistake(option.place, f"key '{option.key}' is taken by the engine", "Choose another key.")


def _needs(service: Service) -> Iterator[Mistake]:
    used = set()
    for screen in service.screens.values():
        for guard in guards_of(screen):
            used |= set(guard.needs)
            for name in guard.needs:
                if name not in service.needs:
                    what = f"the service has no need '{name}'"
                    yield Mistake(screen.place, what, did_you_mean(name, service.needs))
        for lead in leads_of(screen):
            if isinstance(lead, Lead) and lead.go == menu.WANTED and not service.needs:
                yield Mistake(lead.place, "`wanted` without `needs`", "Name a screen, or say what is needed.")
    for name, need in service.needs.items():
        if name not in used:
            yield Mistake(need.place, f"nothing needs '{name}'", "Name it under `needs:` of a screen, or remove it.")


# --- a way out ------------------------------------------------------------------------------------------------------


def _no_way_out(service: Service, reached: set[str]) -> Iterator[Mistake]:
    """From every screen something can be pressed that leads, sooner or later, to an `end`.

    Back leads to whichever screen was seen before: a route is not seen, so it is the screen before that.
    """
    onward = {name: _onward(service.screens[name], service) for name in reached}
    before: dict[str, set[str]] = {name: set() for name in reached}
    for name, leads in onward.items():
        for lead in leads:
            for target in reached if lead.go in (menu.BACK, menu.WANTED) else {lead.go} & reached:
                before[target].add(name)
    backward = {name: seen_before(name, before, service) for name in reached if _has_back(service.screens[name])}
    for name, earlier in backward.items():
        for each in earlier:
            before[each].add(name)
    good = {name for name in reached if isinstance(service.screens[name], EndScreen)}
    good |= {name for name, leads in onward.items() if any(lead.go == menu.BY_NOTICE for lead in leads)}
    ahead = list(good)
    while ahead:
        more = before[ahead.pop()] - good
        good |= more
        ahead += more
    without_options = {name for name in reached - good if getattr(service.screens[name], "options", None) == ()}
    for name in sorted(reached - good - without_options):
        what = f"no way out of screen '{name}': nothing that is pressed leads to an `end`"
        yield Mistake(service.screens[name].place, what, "Lead to an `end`.")


def _has_back(screen: Screen) -> bool:
    """Whether something on the screen leads back."""
    return bool(screen.open_keys) if isinstance(screen, AskScreen) else not isinstance(screen, UNSEEN_OR_LAST)


# --- what a dialled string can do -----------------------------------------------------------------------------------


def dialled_changes(service: Service) -> Iterator[Mistake]:
    """A code that changes something as soon as it is dialled needs the contract's leave: a link on a page can dial."""
    if service.sms:
        return
    ahead, seen = [lead.go for lead in ways_in(service)], set[str]()
    while ahead:
        screen = service.screens.get(ahead.pop())
        if screen is None or screen.id in seen or not isinstance(screen, RouteScreen):
            continue
        seen.add(screen.id)
        for do in calls_of(screen):
            if do.typed:
                what = f"dialling the code alone makes the call '{do.call}', which changes something"
                yield Mistake(do.place, what, "Let a screen be answered before it.")
        ahead += [lead.go for lead in leads_of(screen) if isinstance(lead, Lead)]
