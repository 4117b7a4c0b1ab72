"""The house rules that a machine can keep: who imports whom, how long things get, and what is never used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEAVES = {"strict_yaml", "masking", "json_logs", "failpoints", "hardening"}
PACKAGES = ("smpp", "sessions", "billing", "billing_core", "ussd_engine", "stack", "bench", "chaos", "simulation")
MAY_IMPORT = {
    "strict_yaml": set(),
    "masking": set(),
    "json_logs": {"masking"},
    "failpoints": set(),
    "hardening": set(),
    "smpp": LEAVES,
    "sessions": LEAVES,
    "billing": LEAVES,
    "billing_core": LEAVES | {"billing"},
    "ussd_engine": LEAVES | {"smpp", "sessions", "billing"},
    "stack": LEAVES,
    "chaos": LEAVES | {"smpp", "sessions", "billing", "billing_core", "ussd_engine", "stack"},
    "bench": LEAVES | {"smpp", "sessions", "billing", "billing_core", "ussd_engine", "stack"},
    "simulation": LEAVES | {"smpp", "sessions", "billing", "ussd_engine"},
}
OURS = set(MAY_IMPORT)
WORLD = {"socket", "time", "random", "secrets", "os", "twisted", "redis", "aiohttp", "asyncpg", "uvloop", "requests"}
PURE = {
    "smpp": {
        "backoff",
        "segments",
        "receipt",
        "pdu",
        "codec",
        "constants",
        "errors",
        "states",
        "timers",
        "window",
        "connection",
        "text",
        "limits",
        "flow",
        "traffic",
        "national",
        "tlvs",
    },
    "sessions": {"session", "store", "shelf", "neighbours"},
    "billing": {"contract", "values", "operation", "notices", "calls", "breaker", "wire"},
    "ussd_engine": {
        "msisdn", "dial_string", "dialect", "dialect_values", "envelope", "over_smpp", "over_sms", "sms_dialect",
        "centre_side", "turn", "taking", "core_calls", "greeting", "record", "history", "versions", "starts",
        "repeats",
    },
    "ussd_engine/language": {path.stem for path in (ROOT / "ussd_engine/language").glob("*.py")} - {"__init__"},
}  # fmt: skip
FUNCTION_LINES_MAX = 40
MODULE_LINES_MAX = 400
FORBIDDEN_CALLS = {"eval", "pickle.loads", "pickle.load", "yaml.load", "yaml.unsafe_load"}


def _modules() -> Iterator[Path]:
    for name in sorted(OURS):
        yield from sorted((ROOT / name).rglob("*.py")) if (ROOT / name).is_dir() else [ROOT / f"{name}.py"]


def _imports(path: Path, *, at_run_time: bool = False) -> Iterator[str]:
    """The modules that a file imports, relative ones left out."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    if at_run_time:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                skipped.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


@pytest.mark.parametrize("path", list(_modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_what_the_house_allows(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    found = {module.split(".")[0] for module in _imports(path)} & OURS
    assert found <= MAY_IMPORT[own] | {own}


def test_the_core_speaks_the_contract_but_has_no_client_of_it() -> None:
    for path in sorted((ROOT / "billing_core").rglob("*.py")):
        assert "billing.http_client" not in set(_imports(path)), path


@pytest.mark.parametrize("name", [f"{package}/{name}" for package, names in PURE.items() for name in sorted(names)])
def test_a_pure_file_touches_no_world(name: str) -> None:
    found = {module.split(".")[0] for module in _imports(ROOT / f"{name}.py", at_run_time=True)}
    assert not found & WORLD


@pytest.mark.parametrize("path", list(_modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_long_says_why(path: Path) -> None:
    text = path.read_text()
    lines = text.splitlines()
    if len(lines) > MODULE_LINES_MAX:
        assert "# long because:" in text[:3000], f"{path} has {len(lines)} lines and gives no reason"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            head = "\n".join(lines[node.lineno - 1 : node.body[0].lineno])
            assert length <= FUNCTION_LINES_MAX or "# long because:" in head, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", list(_modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_dangerous_is_called(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in FORBIDDEN_CALLS, f"{path}:{node.lineno}"


def test_any_exception_is_caught_in_one_place_only() -> None:
    places = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in _modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception")
    ]
    assert len(places) == 1, places
    assert places[0].startswith("ussd_engine/work.py")
