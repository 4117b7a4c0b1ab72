"""The checked-in OpenAPI document is the contract, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from billing import openapi
from billing.contract import OPERATIONS


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_file_is_what_the_contract_says() -> None:
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text(), "run: python -m billing.openapi"


def test_check_finds_a_file_that_is_outdated_and_writing_puts_it_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(openapi, "FILE", tmp_path / "openapi.json")
    monkeypatch.setattr(sys, "argv", ["openapi", "--check"])
    assert openapi.main() == 1
    assert "python -m billing.openapi" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["openapi"])
    assert openapi.main() == 0
    monkeypatch.setattr(sys, "argv", ["openapi", "--check"])
    assert openapi.main() == 0


def test_every_operation_has_a_path_with_its_refusals_and_nothing_else_does() -> None:
    paths: dict[str, Any] = openapi.document()["paths"]
    assert set(paths) == {f"/v1/operations/{name}" for name in OPERATIONS}
    for name, operation in OPERATIONS.items():
        assert paths[f"/v1/operations/{name}"]["post"]["x-refusals"] == dict(operation.refusals)


def test_every_reference_leads_somewhere() -> None:
    document = json.loads(openapi.text())
    for reference in set(references(document)):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found
