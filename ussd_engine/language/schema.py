"""The JSON Schema of menu files, so that editors complete keys and mark mistakes while an author types (pure).

It is written from `grammar`, the billing contract and the filters: whoever changes these runs `ussd-engine schema`. A
schema cannot know what hangs together; `ussd-engine check` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.contract import LANGUAGES, OPERATIONS, STATUSES
from billing.events import EVENTS

from . import answers, grammar
from .grammar import Key
from .menu import OPTIONS_MAX, RESERVED, SCREENS_MAX, TEXT_CHARACTERS_MAX
from .menu_parts import TRUSTS

Schema = dict[str, Any]

_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}
_TEXT = {"type": "string"}
_SCALAR = {"type": ["string", "integer", "boolean", "null"]}


def schema() -> Schema:
    """The whole schema, of files of services and files of screens that are used."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A menu of the USSD engine",
        "oneOf": [_part(grammar.SERVICE), _part(grammar.PART)],
        "definitions": dict(sorted(_definitions().items())),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _part(keys: Mapping[str, Key], **more: Any) -> Schema:
    """A mapping with these keys and no others."""
    properties = {name: {**_ref(key.takes), "description": key.means} for name, key in keys.items()}
    found: Schema = {"type": "object", "additionalProperties": False, "properties": _described(properties)}
    if grammar.required(keys):
        found["required"] = list(grammar.required(keys))
    return {**found, **more}


def _described(properties: Mapping[str, Schema]) -> Schema:
    """Draft 7 reads nothing beside a `$ref`: a description goes around it."""
    return {
        name: {"description": each["description"], "allOf": [{"$ref": each["$ref"]}]}
        for name, each in properties.items()
    }


def _many(of: Schema, most: int | None = None, least: int | None = None) -> Schema:
    found: Schema = {"type": "array", "items": of}
    if most is not None:
        found["maxItems"] = most
    if least is not None:
        found["minItems"] = least
    return found


def _named(of: Schema, pattern: str = "^[a-z][a-z0-9_]*$", most: int | None = None) -> Schema:
    found: Schema = {"type": "object", "additionalProperties": False, "patternProperties": {pattern: of}}
    return found if most is None else {**found, "maxProperties": most}


def _definitions() -> dict[str, Schema]:  # long because: one line for each shape of a value
    words = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            code: {"type": "string", "minLength": 1, "maxLength": TEXT_CHARACTERS_MAX} for code in LANGUAGES
        },
        "minProperties": 1,
    }
    item = {
        "type": "object",
        "required": ["id"],
        "additionalProperties": False,
        "properties": {"id": _TEXT, **dict.fromkeys(LANGUAGES, _TEXT)},
    }
    lead = {"oneOf": [_ref("target"), _part(grammar.LEAD)]}
    small: dict[str, Schema] = {
        "version": {"const": grammar.VERSION},
        "name": _NAME,
        "names": _many(_NAME),
        "text": _TEXT,
        "texts": _many(_TEXT),
        "flag": {"type": "boolean"},
        "never": {"const": "never"},
        "screen": {"type": "string", "pattern": r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"},
        "target": {"type": "string", "examples": list(RESERVED)},
        "words": words,
        "plain_words": words,
        "key": {"type": "string", "pattern": "^[1-9][0-9]?$"},
        "engine_key": {"type": "string", "pattern": r"^(0[0-9]?|9[89]|\*|#)$"},
        "small_count": {"type": "integer", "minimum": 1, "maximum": 20},
        "seconds": {"type": "integer", "minimum": 1, "maximum": 3600},
        "operand": _SCALAR,
        "operands": {"type": "object", "additionalProperties": _SCALAR},
        "condition": {"type": "string", "examples": ["subscriber.status == 'active'"]},
        "items": {"type": "string", "examples": ["lists.name"]},
        "language": {"enum": list(LANGUAGES)},
        "status": {"enum": list(STATUSES)},
        "statuses": _many({"enum": list(STATUSES)}, least=1),
        "trust": {"enum": list(TRUSTS[1:])},
        "trust_of_link": {"enum": list(TRUSTS)},
        "event": {"enum": list(EVENTS)},
        "inn": {"enum": [*answers.INN_FORMS, None]},
        "nothing": {"type": "null"},
        "words_of_choice": _many(_TEXT, least=1),
        "values": {"type": "object"},
        "call": {"enum": sorted(OPERATIONS)},
    }
    parts: dict[str, Schema] = {
        "languages": {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(LANGUAGES, _TEXT)},
        "codes": _many({"oneOf": [_TEXT, _part(grammar.CODE)]}),
        "open_to": _part(grammar.OPEN_TO),
        "keys": _part(grammar.KEYS),
        "resume": _part(grammar.RESUME),
        "requires": _part(grammar.REQUIRES),
        "needs": _named(_part(grammar.NEED)),
        "uses": {"oneOf": [_part(grammar.USE), _many(_part(grammar.USE))]},
        "sms": _part(grammar.SMS),
        "patterns": _many(_part(grammar.PATTERN)),
        "choices": {"type": "object", "additionalProperties": _TEXT},
        "notices": {
            "type": "object",
            "additionalProperties": False,
            "properties": dict.fromkeys(EVENTS, _ref("words")),
        },
        "lists": _named(_many(item, OPTIONS_MAX)),
        "screens": _named(_ref("one_screen"), r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", SCREENS_MAX),
        "one_screen": {"oneOf": [_part(keys, title=kind) for kind, keys in grammar.SCREENS.items()]},
        "options": _many(_part(grammar.OPTION), OPTIONS_MAX),
        "cases": {"oneOf": [{"type": "null"}, _many(_part(grammar.CASE))]},
        "confidential": _part(grammar.CONFIDENTIAL),
        "tries": _part(grammar.TRIES),
        "checks": _many(_part(grammar.CHECK, minProperties=2, maxProperties=2)),
        "bounds": {"oneOf": [{"type": "null"}, _part(grammar.BOUNDS)]},
        "lead": lead,
        "outcome": {"oneOf": [_ref("target"), _part(grammar.LEAD), _part(grammar.AGAIN)]},
        "refusals": {"type": "object", "additionalProperties": _ref("outcome"), "required": ["*"]},
        "do": {**_part(grammar.DO), "allOf": [_arguments(name) for name in sorted(OPERATIONS)]},
        "tests": _many(_part(grammar.TEST)),
        "talk": _many(_part(grammar.STEP, minProperties=1)),
        "answers": {
            "type": "object",
            "properties": {name: {} for name in sorted(OPERATIONS)},
            "additionalProperties": False,
        },
    }
    return small | parts


def _arguments(call: str) -> Schema:
    """The arguments and refusals of one call."""
    operation = OPERATIONS[call]
    arguments: Schema = {
        "additionalProperties": False,
        "properties": {name: {"description": field.means} for name, field in operation.arguments.items()},
    }
    needed = [name for name, field in operation.arguments.items() if not field.optional]
    then: Schema = {
        "properties": {
            "with": {**arguments, **({"required": needed} if needed else {})},
            "refused": {
                "properties": {"*": {}, **{code: {"description": why} for code, why in operation.refusals.items()}},
                "additionalProperties": False,
            },
        }
    }
    if needed:
        then["required"] = ["with"]
    return {"if": {"properties": {"call": {"const": call}}}, "then": then}


_PARTS: Mapping[str, Mapping[str, Key]] = {
    "the file": grammar.SERVICE,
    "a file of shared screens": grammar.PART,
    **{f"`{kind}`": keys for kind, keys in grammar.SCREENS.items()},
    "an option": grammar.OPTION,
    "a case of a `route`": grammar.CASE,
    "`do`": grammar.DO,
    "where an outcome leads": {**grammar.LEAD, **grammar.AGAIN},
    "`check`": grammar.CHECK,
    "bounds of a check": grammar.BOUNDS,
    "`tries`": grammar.TRIES,
    "`requires`": grammar.REQUIRES,
    "a need": grammar.NEED,
    "`open_to`": grammar.OPEN_TO,
    "a code with a screen of its own": grammar.CODE,
    "`resume` of the file": grammar.RESUME,
    "`use`": grammar.USE,
    "`confidential`": grammar.CONFIDENTIAL,
    "`keys`": grammar.KEYS,
    "`sms`": grammar.SMS,
    "a pattern": grammar.PATTERN,
    "a test": grammar.TEST,
    "a step of a talk": grammar.STEP,
}


def key_table() -> str:
    """Every key of every part, as the table of `docs/menu-language.md`."""
    rows = ["| Where | Key | |", "|---|---|---|"]
    for part, keys in _PARTS.items():
        for at, (name, key) in enumerate(keys.items()):
            must = " (required)" if key.required else ""
            rows.append(f"| {part if at == 0 else ''} | `{name}` | {key.means}{must} |")
    return "\n".join(rows) + "\n"
