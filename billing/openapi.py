"""The OpenAPI 3.1 document of the billing core, written from the contract.

    python -m billing.openapi            writes billing/openapi.json
    python -m billing.openapi --check    says whether the file is what would be written; exit code 1 when it is not

Rules of this file: the document is a pure function of the contract, the same octets every time, nothing by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from billing.contract import (
    CURRENCIES,
    ID_CHARACTERS_MAX,
    LANGUAGES,
    OPERATIONS,
    Choice,
    Count,
    Day,
    Digits,
    Field,
    Flag,
    Id,
    Inn,
    Instant,
    ListOf,
    Money,
    Msisdn,
    Operation,
    Secret,
    Text,
    Type,
)
from billing.wire import JSON_TYPE, PATH, PROBLEM_TYPE

FILE = Path(__file__).with_name("openapi.json")

LINE_CHARACTERS_MAX = 118

_PROBLEMS = {
    "400": "The body is not JSON.",
    "401": "Not signed, signed by a stranger, or signed too long ago.",
    "403": "The client's key is not for this operation.",
    "404": "No such operation.",
    "409": "Another call was made under this id.",
    "413": "The body is too long.",
    "429": "Too much at once; nothing was done.",
    "422": "A field is missing, unknown or of the wrong type; `invalid_params` names it.",
    "503": "Not served now. With `not_done: true` surely nothing was done; otherwise ask what became of the call.",
}


def document() -> dict[str, Any]:
    """The whole document as JSON values."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Billing core",
            "version": "1",
            "description": (
                "What the menu engine asks of a billing core. Every operation is a POST with the same envelope; 200 "
                "says done or refused, everything else is a problem of RFC 9457. The id is the idempotency key: the "
                "same id with the same arguments gets the stored answer of a change, with other arguments 409."
            ),
        },
        "security": [{"signature": []}],
        "paths": {PATH + name: {"post": _operation(operation)} for name, operation in OPERATIONS.items()},
        "components": {
            "securitySchemes": {
                "signature": {
                    "type": "http",
                    "scheme": "HMAC-SHA256",
                    "description": (
                        "`Authorization: HMAC-SHA256 client:second:signature`; the signature is HMAC-SHA256, in hex, "
                        "under the client's key, of method, path, second and body with a line feed between them."
                    ),
                }
            },
            "schemas": {"Problem": _PROBLEM},
            "responses": {status: _problem_response(why) for status, why in _PROBLEMS.items()},
        },
    }


def text() -> str:
    """The document as it stands in the file."""
    return _laid_out(document(), "") + "\n"


def _laid_out(value: Any, indent: str) -> str:
    """JSON in which whatever is short stands on one line."""
    short = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(short) <= LINE_CHARACTERS_MAX or not isinstance(value, dict | list):
        return short
    deeper = indent + " "
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"{deeper}{_laid_out(each, deeper)}" for each in value) + f"\n{indent}]"
    rows = (
        f"{deeper}{json.dumps(name, ensure_ascii=False)}: {_laid_out(each, deeper)}" for name, each in value.items()
    )
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


_NO_CONTROL = r"^[^\x00-\x09\x0b-\x1f\x7f]*$"
"""Line feed is the only control character in a text."""
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["title", "status"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "not_done": {"type": "boolean", "description": "surely nothing was done"},
        "invalid_params": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}


def _problem_response(why: str) -> dict[str, Any]:
    return {"description": why, "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "operationId": operation.name,
        "summary": operation.means,
        "x-changes": operation.changes,
        "x-asked-by": operation.asked_by,
        "x-by-manager": operation.by_manager,
        "x-status-operation": operation.status,
        "x-seconds-max": operation.seconds_max,
        **({"x-answer-notice": operation.answer_notice} if operation.answer_notice else {}),
        "x-refusals": dict(operation.refusals),
        "requestBody": {"required": True, "content": {JSON_TYPE: {"schema": _request(operation)}}},
        "responses": {
            "200": {"description": "Done or refused.", "content": {JSON_TYPE: {"schema": _answer(operation)}}},
            **{status: {"$ref": f"#/components/responses/{status}"} for status in _PROBLEMS},
        },
    }


def _request(operation: Operation) -> dict[str, Any]:
    properties = {
        "id": {"type": "string", "format": "uuid", "description": "names the intent; the key of idempotency"},
        "msisdn": {**_schema(Msisdn()), "description": "the subscriber the call is about"},
        "language": {"enum": list(LANGUAGES), "description": "the language of texts in the answer"},
        "arguments": _object(operation.arguments, closed=True),
    }
    required = list(properties)
    properties["by_sms"] = {
        "type": "boolean",
        "default": False,
        "description": "the answer is wanted by SMS: a change that is done writes the notice in x-answer-notice",
    }
    if operation.by_manager:
        properties["by"] = {**_schema(Msisdn()), "description": "who manages the number and asks in its holder's place"}
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


def _answer(operation: Operation) -> dict[str, Any]:
    refusal = {
        "type": "object",
        "required": ["code"],
        "properties": {"code": {"enum": list(operation.refusals)}, "details": _object(operation.details, closed=False)},
    }
    done = {"type": "object", "required": ["done"], "properties": {"done": _object(operation.results, closed=False)}}
    refused = {"type": "object", "required": ["refused"], "properties": {"refused": refusal}}
    return {"oneOf": [done, refused] if operation.refusals else [done]}


def _object(fields: Mapping[str, Field], *, closed: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    if required := [name for name, field in fields.items() if not field.optional]:
        schema["required"] = required
    if closed:
        schema["additionalProperties"] = False
    schema["properties"] = {name: {**_schema(field.type), "description": field.means} for name, field in fields.items()}
    return schema


def _schema(kind: Type) -> dict[str, Any]:  # one case a type of the closed set
    match kind:
        case Text(characters_max):
            return {"type": "string", "maxLength": characters_max, "pattern": _NO_CONTROL}
        case Secret(characters_max):
            text = {"type": "string", "minLength": 1, "maxLength": characters_max, "format": "password"}
            return {**text, "pattern": _NO_CONTROL}
        case Msisdn():
            return {"type": "string", "pattern": "^[1-9][0-9]{6,14}$"}
        case Inn():
            return {"type": "string", "pattern": "^[0-9]{14}$"}
        case Id():
            return {"type": "string", "pattern": f"^[!-~]{{1,{ID_CHARACTERS_MAX}}}$"}
        case Money():
            return _money(kind)
        case Digits(most, least):
            return {"type": "string", "pattern": f"^[0-9]{{{least},{most}}}$"}
        case Count(most):
            return {"type": "integer", "minimum": 0, "maximum": most}
        case Day():
            return {"type": "string", "format": "date"}
        case Instant():
            return {"type": "string", "format": "date-time", "pattern": "Z$"}
        case Choice(values):
            return {"enum": list(values)}
        case Flag():
            return {"type": "boolean"}
        case ListOf(fields, items_max):
            return {"type": "array", "maxItems": items_max, "items": _object(fields, closed=False)}


def _money(kind: Money) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["minor", "currency"],
        "additionalProperties": False,
        "properties": {
            "minor": {"type": "integer", "minimum": kind.least, "maximum": kind.most},
            "currency": {"enum": list(CURRENCIES)},
        },
    }


def main() -> int:
    """Writes or checks the file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m billing.openapi", description="Writes billing/openapi.json.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the file is outdated")
    if not parser.parse_args().check:
        FILE.write_text(text(), encoding="utf-8")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == text():
        return 0
    print(f"{FILE.name} is not what the contract says. Run: python -m billing.openapi", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
