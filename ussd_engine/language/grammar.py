"""Which keys each part of a menu file may have, what they take and what they mean: one table (pure).

The reader refuses what is not in it, the JSON Schema is written from it, and the table of `docs/menu-language.md` is
checked against it. `takes` names a shape of value; `schema` says what each looks like in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

VERSION: Final = 1


class Key(NamedTuple):
    """One key: what it takes, and what it means in a line."""

    takes: str
    means: str
    required: bool = False


_GUARD: Final = {
    "requires": Key("requires", "who may pass: the trust of the link, the status of the number"),
    "maintenance": Key("plain_words", "the text while it is switched off"),
}
_NEEDS: Final = {"needs": Key("names", "what has to be settled first, by its names under the service's `needs`")}
_RESUME: Final = {"resume": Key("never", "`never`: a dialogue that is cut off here begins anew")}
_ON: Final = {
    "go": Key("target", "a screen, `back`, `home` or `wanted`"),
    "set": Key("operands", "names and what they become on the way"),
    "do": Key("do", "the call to make instead of `go`"),
}
_TRIES: Final = {"tries": Key("tries", "after so many wrong inputs it leads there")}

SERVICE: Final[Mapping[str, Key]] = {
    "menu": Key("version", "the version of the language", required=True),
    "service": Key("name", "the service's name; sessions, counters and records carry it", required=True),
    "languages": Key("languages", "code → the language's own name; the first is the default", required=True),
    "dial": Key("codes", "what is dialled, in quotes: codes, printed dial-throughs, shortcuts"),
    "open_to": Key("open_to", "the networks that may enter, and the screen for the others"),
    "start": Key("screen", "the screen a dialogue begins with; `home` leads there"),
    "keys": Key("keys", "`back`, `home` and `more`, when a service wants others"),
    "resume": Key("resume", "how long after a cut the dialogue can be resumed"),
    **_GUARD,
    "needs": Key("needs", "name → the condition that must hold, and the screen that settles it"),
    "use": Key("uses", "files of screens that several services share"),
    "sms": Key("sms", "short numbers whose SMS the service answers, in place of `dial`"),
    "patterns": Key("patterns", "what an SMS may say"),
    "notices": Key("notices", "event of the billing core → the SMS that tells of it"),
    "lists": Key("lists", "lists that stand in the file"),
    "screens": Key("screens", "name → screen"),
    "tests": Key("tests", "talks that are played whenever the file is checked"),
}
PART: Final[Mapping[str, Key]] = {
    "menu": SERVICE["menu"],
    "part": Key("name", "marks a file of screens that services `use`", required=True),
    "languages": SERVICE["languages"],
    "lists": SERVICE["lists"],
    "screens": SERVICE["screens"]._replace(required=True),
}

SCREENS: Final[Mapping[str, Mapping[str, Key]]] = {
    "menu": {
        "menu": Key("words", "fixed options, paged when they are many", required=True),
        "options": Key("options", "the options", required=True),
        **_TRIES, **_NEEDS, **_GUARD, **_RESUME,
    },
    "list": {
        "list": Key("words", "options from data, paged", required=True),
        "items": Key("items", "`lists.NAME`, or a list that a call returned", required=True),
        "item": Key("words", "how an item is shown; without it, its `text`"),
        "save": Key("name", "the name under which the chosen item is kept"),
        **_ON,
        "empty": Key("screen", "the screen when there is no item"),
        "narrow": Key("screen", "the screen when there are more than 97 items"),
        **_TRIES, **_NEEDS, **_GUARD, **_RESUME,
    },
    "ask": {
        "ask": Key("words", "one typed answer", required=True),
        "save": Key("name", "the name under which the answer is kept"),
        "secret": Key("name", "like `save`, for this one turn: never stored, logged or shown"),
        "check": Key("checks", "what the answer must be, and what is said when it is not"),
        **_ON, **_TRIES, **_NEEDS, **_GUARD, **_RESUME,
    },
    "show": {
        "show": Key("words", "a text, paged, with options at its end", required=True),
        "options": Key("options", "the options"),
        "confidential": Key("confidential", "it shows a code: once, and never stored"),
        **_TRIES, **_NEEDS, **_GUARD, **_RESUME,
    },
    "end": {
        "end": Key("words", "the last screen", required=True),
        "confidential": Key("confidential", "it shows a code: once, and never stored"),
    },
    "route": {
        "route": Key("cases", "no screen: the first case that holds leads on; empty beside `do`", required=True),
        "do": Key("do", "a call to make at once"),
        **_NEEDS, **_GUARD,
    },
}  # fmt: skip

OPTION: Final[Mapping[str, Key]] = {
    "id": Key("name", "its id, for ever", required=True),
    "key": Key("key", "the number to press, where one is printed on posters"),
    "text": Key("words", "how it is shown", required=True),
    **_ON,
    **_GUARD,
}
CASE: Final[Mapping[str, Key]] = {
    "when": Key("condition", "the condition; without it, the case always holds"),
    "go": Key("target", "a screen, `back`, `home` or `wanted`", required=True),
    "set": _ON["set"],
}
LEAD: Final[Mapping[str, Key]] = {"go": Key("target", "where it leads", required=True), "set": _ON["set"]}
AGAIN: Final[Mapping[str, Key]] = {
    "again": Key("words", "the same screen once more, with this above it", required=True)
}
DO: Final[Mapping[str, Key]] = {
    "call": Key("call", "an operation of the billing contract", required=True),
    "with": Key("operands", "its arguments: dotted names or constants"),
    "into": Key("name", "the name of the result"),
    "done": Key("lead", "the core did it", required=True),
    "refused": Key("refusals", '`{CODE: …, "*": …}`: it will not', required=True),
    "unknown": Key("outcome", "it was sent and no answer came in time: it may have happened", required=True),
    "not_made": Key("outcome", "nothing was sent", required=True),
}
CHECK: Final[Mapping[str, Key]] = {
    "text": Key("bounds", "any text; `min` and `max` characters"),
    "digits": Key("bounds", "digits; `min` and `max` of them"),
    "count": Key("bounds", "a whole number; `min` and `max`"),
    "money": Key("bounds", "a sum; `min` and `max` in whole units"),
    "msisdn": Key("nothing", "a subscriber's number of the country, in any form people write"),
    "day": Key("nothing", "a day, as 31.12.1990 or 31121990"),
    "inn": Key("inn", "a taxpayer's number of Kyrgyzstan"),
    "choice": Key("words_of_choice", "one of these words"),
    "else": Key("words", "the reason that stands above the question once more", required=True),
}
TRIES: Final[Mapping[str, Key]] = {
    "max": Key("small_count", "so many wrong inputs", required=True),
    "then": Key("target", "and it leads there", required=True),
}
REQUIRES: Final[Mapping[str, Key]] = {
    "trust": Key("trust", "the least trust of the link: `partner` or `operator`"),
    "status": Key("statuses", "the statuses of a number that may pass"),
    "else": Key("screen", "the screen for all others", required=True),
}
NEED: Final[Mapping[str, Key]] = {
    "when": Key("condition", "what has to hold", required=True),
    "settle": Key("screen", "the screen that settles it, and leads on with `go: wanted`", required=True),
}
OPEN_TO: Final[Mapping[str, Key]] = {
    "networks": Key("texts", "the networks that may enter", required=True),
    "else": Key("screen", "the screen for the others; without it the code is unknown there"),
}
CODE: Final[Mapping[str, Key]] = {
    "code": Key("text", "what is dialled, with `{variables}`", required=True),
    "go": Key("screen", "the screen to begin with", required=True),
}
RESUME: Final[Mapping[str, Key]] = {"seconds": Key("seconds", "how long after the cut", required=True)}
USE: Final[Mapping[str, Key]] = {
    "file": Key("text", "the file, beside this one", required=True),
    "as": Key("name", "the name its screens go by: `NAME.screen`", required=True),
}
CONFIDENTIAL: Final[Mapping[str, Key]] = {"again": Key("words", "what a repeat shows", required=True)}
KEYS: Final[Mapping[str, Key]] = {
    name: Key("engine_key", f"the key for {what}")
    for name, what in {"back": "the screen before", "home": "the start", "more": "the next page"}.items()
}
SMS: Final[Mapping[str, Key]] = {
    "to": Key("texts", "the short numbers", required=True),
    "else": Key("screen", "the answer to what fits no pattern", required=True),
}
PATTERN: Final[Mapping[str, Key]] = {
    "words": Key("texts", "the first word, in any case"),
    "save": Key("name", "the name under which a second word is kept"),
    "number": Key("name", "like `save`, when a subscriber's number follows, in any form people write"),
    "code": Key("name", "in place of `words`: the whole SMS is a code; it lives for this one turn, as a secret"),
    "digits": Key("small_count", "how many digits the code has"),
    "choices": Key("choices", "which second words there may be, and what they mean"),
    **LEAD,
}
BOUNDS: Final[Mapping[str, Key]] = {
    "min": Key("operand", "the least, a whole number or a name"),
    "max": Key("operand", "the most"),
}
TEST: Final[Mapping[str, Key]] = {
    "name": Key("text", "what the talk shows", required=True),
    "language": Key("language", "the subscriber's language; the service's first"),
    "network": Key("text", "the subscriber's network; the service's first"),
    "status": Key("status", "the number's status; active"),
    "trust": Key("trust_of_link", "the trust of the link; operator"),
    "manages": Key("flag", "the subscriber manages another number; false"),
    "off": Key("texts", "what is switched off for maintenance"),
    "calls": Key("answers", "call → what it answers"),
    "talk": Key("talk", "the steps", required=True),
    "never_stored": Key("texts", "what may stand in no stored session"),
}
STEP: Final[Mapping[str, Key]] = {
    "dial": Key("text", "a code is dialled"),
    "send": Key("text", "an answer is typed"),
    "sms": Key("text", "an SMS is sent"),
    "notice": Key("event", "an event of the billing core is told"),
    "cut": Key("flag", "the dialogue is cut off; the next `dial` may resume it"),
    "with": Key("values", "the arguments of the notice"),
    "screen": Key("text", "the whole screen"),
    "sees": Key("text", "a part of the screen"),
    "ends": Key("flag", "the dialogue ends with this screen"),
}


def required(keys: Mapping[str, Key]) -> tuple[str, ...]:
    """The keys that a part cannot do without."""
    return tuple(name for name, key in keys.items() if key.required)
