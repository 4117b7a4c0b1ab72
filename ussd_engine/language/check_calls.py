"""Whether the calls of a service keep the billing contract (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from billing import contract
from strict_yaml import Mistake, did_you_mean

from .check_names import secrets_of, text_meant
from .leads import calls_of
from .menu import Again, AskScreen, Do, Operand, RouteScreen, Screen, Service
from .shapes import Known, Many, Names, NoSuchName, Record, Shape, find, kind_of


def calls(service: Service, names: Names) -> Iterator[Mistake]:
    """Every call that the contract does not have, or not like this."""
    secrets = secrets_of(service)
    for screen in service.screens.values():
        for do in calls_of(screen):
            yield from _call(do, _secret_on(screen, service), names, secrets)
        if isinstance(screen, AskScreen) and screen.secret and not _is_taken(screen):
            what = f"nothing takes the secret '{screen.secret}'"
            yield Mistake(
                screen.place, what, "Give it to a secret argument of this screen's call, or `save` the answer."
            )
    for pattern in service.sms.patterns if service.sms else ():
        screen_after = service.screens.get(pattern.lead.go)
        if pattern.secret and screen_after is not None and not _is_taken_by(screen_after, pattern.secret):
            what = f"nothing takes the code '{pattern.secret}'"
            yield Mistake(pattern.place, what, "Lead to a `route` whose call has a secret argument, and give it that.")


def _secret_on(screen: Screen, service: Service) -> str:
    """The secret that a call on this screen can have: what is typed there, or the code of an SMS that leads there."""
    if isinstance(screen, AskScreen):
        return screen.secret
    patterns = service.sms.patterns if service.sms and isinstance(screen, RouteScreen) else ()
    return next((pattern.secret for pattern in patterns if pattern.secret and pattern.lead.go == screen.id), "")


def _is_taken(screen: AskScreen) -> bool:
    return _is_taken_by(screen, screen.secret)


def _is_taken_by(screen: Screen, secret: str) -> bool:
    return any(operand.path == (secret,) for do in calls_of(screen) for _, operand in do.arguments)


def _call(do: Do, own_secret: str, names: Names, secrets: set[str]) -> Iterator[Mistake]:
    operation = contract.OPERATIONS.get(do.call)
    if operation is None:
        if do.call:
            what = f"the billing contract has no call '{do.call}'"
            yield Mistake(do.place, what, did_you_mean(do.call, contract.OPERATIONS))
        return
    given = dict(do.arguments)
    for name, field in operation.arguments.items():
        if name not in given and not field.optional:
            what = f"'{do.call}' needs the argument '{name}' ({field.means})"
            yield Mistake(do.place, what, f"Add `{name}:` to `with`.")
    for name, operand in given.items():
        if name in operation.arguments:
            yield from _argument(name, operand, operation.arguments[name].type, names, own_secret, secrets)
        else:
            what = f"'{do.call}' has no argument '{name}'"
            yield Mistake(operand.place, what, did_you_mean(name, operation.arguments))
    for code, outcome in do.refused.items():
        if code not in operation.refusals and code != "*":
            what = f"'{do.call}' is never refused with '{code}'"
            yield Mistake(outcome.place, what, did_you_mean(code, operation.refusals))
    if do.into and not operation.results:
        yield Mistake(do.place, f"'{do.call}' gives no result to call '{do.into}'", "Remove `into`.")
    if do.changes and isinstance(do.unknown, Again):
        what = f"'{do.call}' may have happened: asked again, it could happen twice"
        yield Mistake(do.unknown.place, what, "Lead to a screen that says it is being checked.")


def _argument(
    name: str, operand: Operand, wanted: contract.Type, names: Names, own_secret: str, secrets: set[str]
) -> Iterator[Mistake]:
    is_secret = bool(own_secret) and operand.path == (own_secret,)
    if is_secret != isinstance(wanted, contract.Secret):
        what = "a secret can only go into a secret argument" if is_secret else f"'{name}' takes only a secret"
        yield Mistake(operand.place, what, "Name an `ask` answer marked `secret:` on this screen, and nothing else.")
        return
    if is_secret:
        return
    if not operand.path:
        if wrong := wanted.wrong(operand.constant):
            yield Mistake(operand.place, f"'{name}' {wrong}", "Write another value.")
        return
    try:
        shapes = find(operand.path, names)
    except NoSuchName as error:
        if operand.path[0] in secrets:
            yield Mistake(operand.place, f"the secret '{operand.path[0]}' is gone here", "Ask for it on this screen.")
        else:
            cure = f"{did_you_mean(operand.path[-1], error.known)}{text_meant(operand.path, names)}"
            yield Mistake(operand.place, str(error), cure)
        return
    for shape in shapes:
        if why := misfit(shape, wanted):
            yield Mistake(operand.place, f"'{name}' is {kind_of(wanted)}, this is {why}", _cure(shape, wanted))
            return


_VISIBLE = (contract.Id, contract.Choice, contract.Msisdn, contract.Inn, contract.Day)
"""What is always visible ASCII without spaces, and short."""


def misfit(shape: Shape, wanted: contract.Type) -> str:
    """Why what a name holds cannot go into an argument of this type, in words; "" when it can."""
    if isinstance(shape, Record | Many):
        return kind_of(shape)
    match wanted:
        case contract.Text():
            return _too_long(shape, wanted.characters_max)
        case contract.Id():
            fits = isinstance(shape, contract.Id | contract.Choice | contract.Msisdn | contract.Inn | contract.Day)
            return (
                ""
                if fits or (isinstance(shape, contract.Digits) and shape.most <= contract.ID_CHARACTERS_MAX)
                else _named(shape)
            )
        case contract.Digits():
            if not isinstance(shape, contract.Digits):
                return kind_of(shape)
            fits = shape.most <= wanted.most and shape.least >= wanted.least
            return "" if fits else f"{shape.least} to {shape.most} digits, and it takes {wanted.least} to {wanted.most}"
        case contract.Choice():
            if not isinstance(shape, contract.Choice):
                return kind_of(shape)
            others = [word for word in shape.values if word not in wanted.values]
            return f"'{others[0]}' among others" if others else ""
        case contract.Count():
            if not isinstance(shape, contract.Count):
                return kind_of(shape)
            return f"up to {shape.most}, and the most is {wanted.most}" if shape.most > wanted.most else ""
        case contract.Money():
            if not isinstance(shape, contract.Money):
                return kind_of(shape)
            fits = shape.most <= wanted.most and shape.least >= wanted.least
            return "" if fits else f"{shape.least // 100} to {shape.most // 100}, and it takes {_whole(wanted)}"
        case contract.Msisdn() | contract.Inn() | contract.Day() | contract.Instant() | contract.Flag():
            return "" if type(shape) is type(wanted) else kind_of(shape)
    return kind_of(shape)


def _whole(money: contract.Money) -> str:
    return f"{-(-money.least // 100)} to {money.most // 100}"


def _too_long(shape: Shape, most: int) -> str:
    match shape:
        case contract.Text():
            longest = shape.characters_max
        case contract.Digits():
            longest = shape.most
        case contract.Choice():
            longest = max(map(len, shape.values), default=0)
        case Known():
            longest = max((len(text) for texts in shape.texts.values() for text in texts), default=0)
        case contract.Id():
            longest = contract.ID_CHARACTERS_MAX
        case contract.Msisdn() | contract.Inn() | contract.Day():
            longest = 15
        case _:
            return kind_of(shape)
    return f"up to {longest} characters, and the most is {most}" if longest > most else ""


def _named(shape: Shape) -> str:
    is_text = isinstance(shape, contract.Text | Known | contract.Digits)
    return f"{kind_of(shape)}, which may hold spaces or be too long" if is_text else kind_of(shape)


def _cure(shape: Shape, wanted: contract.Type) -> str:
    if isinstance(wanted, contract.Text) and isinstance(shape, contract.Text | contract.Digits):
        return f"Add `check: {{text: {{max: {wanted.characters_max}}}}}` where it is typed."
    if isinstance(wanted, contract.Digits):
        return f"Add `check: {{digits: {{min: {wanted.least}, max: {wanted.most}}}}}` where it is typed."
    if isinstance(wanted, contract.Count) and isinstance(shape, contract.Count):
        return f"Add `check: {{count: {{max: {wanted.most}}}}}` where it is typed."
    if isinstance(wanted, contract.Money) and isinstance(shape, contract.Money):
        least, most = -(-wanted.least // 100), wanted.most // 100
        return f"Add `check: {{money: {{min: {least}, max: {most}}}}}` where it is typed."
    if isinstance(wanted, contract.Choice):
        return f"Give it one of {', '.join(wanted.values)}, as \"'{wanted.values[0]}'\"."
    return f"Give it {kind_of(wanted)}."
