"""`production: true` refuses whatever is unsafe, of both programs: one story a rule, and operators read them all."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import billing_core.config
import hardening
from billing_core import production as of_core
from strict_yaml import StrictYamlError
from ussd_engine import production as of_engine
from ussd_engine.accounts import hash_password
from ussd_engine.config import read_settings

ROOT = Path(__file__).resolve().parents[2]
HASH, DEMO_HASH = hash_password("not the one of the demo"), hash_password("secret")
CHEAP_HASH = "$argon2id$v=19$m=8192,t=2,p=1$AFalUBhzQA/r6rwxSztd6A$PTFwAfeCiX23bzxAYwo7T8epfy9BahgMz1MGtTeLPZc"
KEYS = ("masking", "billing-core", "operations", "engine", "desk", "pepper", "seals", "notices")
SAFE = f"""
production: true
engine:
  http_listen: 127.0.0.1:8080
  smpp_listen: 0.0.0.0:2775
  networks: {{kcell: {{country: KZ, time_zone: Asia/Almaty, language: kk, currency: KZT}}}}
  dialects: {ROOT / "dialects"}
  masking_key_file: keys/masking
  clients: {{billing-core: keys/billing-core}}
  operators: {{operations: keys/operations}}
  links:
    ussdc:
      {{role: server, network: kcell, dialect: standard, trust: operator, system_id: ussdc,
       allowed_from: [10.1.2.0/24], password_hash: "{HASH}"}}
    smsc:
      {{role: client, network: kcell, dialect: standard, trust: operator, system_id: engine,
       address: "10.1.2.3:2775", password_file: keys/smsc}}
  sessions: {{redis_url: "rediss://engine:word@redis.example/0"}}
  billing: {{url: https://core.example, client: engine, key_file: keys/engine}}
billing_core:
  http_listen: 127.0.0.1:8081
  database_url: postgresql://serving@db.example/billing?sslmode=verify-full
  owner_database_url: postgresql://owner@db.example/billing?sslmode=verify-full
  clients:
    engine: {{key_file: keys/engine, may: [subscriber]}}
    desk: {{key_file: keys/desk, may: [office]}}
  pepper_file: keys/pepper
  seal_key_file: keys/seals
  notice_key_file: keys/notices
  relay_key_file: keys/billing-core
  engine_url: https://engine.example
  simulated: false
"""


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """A configuration that is safe, and its keys."""
    (tmp_path / "keys").mkdir()
    for name in KEYS:
        _secret(tmp_path / "keys" / name, f"{name:0>64}")
    _secret(tmp_path / "keys" / "smsc", "password")
    _secret(tmp_path / "config.yaml", SAFE)
    return tmp_path


def _secret(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in SAFE
    path = folder / "config.yaml"
    path.write_text(SAFE.replace(old, new, 1))
    return path


def told(reading: Callable[[Path], object], path: Path) -> str:
    """The mistakes that reading it tells; "" when it is taken."""
    try:
        reading(path)
    except StrictYamlError as error:
        return str(error)
    return ""


def refused_of_files(folder: Path) -> list[str]:
    path = folder / "config.yaml"
    return [
        *of_engine.unsafe_files(read_settings(path)),
        *of_core.unsafe_files(billing_core.config.read_config(path)),
    ]


def test_what_is_safe_is_taken(deployed: Path) -> None:
    path = deployed / "config.yaml"
    assert told(read_settings, path) == told(billing_core.config.read_config, path) == ""
    assert refused_of_files(deployed) == []


ENGINE = [
    ("a demo account", "system_id: ussdc,", "system_id: ussdc, demo: true,", "link 'ussdc' is a demo account"),
    ("the password of the demo", HASH, DEMO_HASH, "link 'ussdc' has the password of the demo accounts"),
    ("a `password_hash` of less", HASH, CHEAP_HASH, "its password would be tried out too cheaply"),
    ("a range of addresses wider", "10.1.2.0/24", "0.0.0.0/0", "0.0.0.0/0 are the addresses of everybody"),
    ("a range of addresses wider", "10.1.2.0/24", "2001::/16", "2001::/16 are the addresses of everybody"),
    ("public addresses or names", "10.1.2.0/24", "8.8.8.0/24", "link 'ussdc' would be spoken in clear over public"),
    ("public addresses or names", "10.1.2.3:2775", "smsc.example:2775", "link 'smsc' would be spoken in clear over"),
    ("the private server", '"rediss://engine:word@redis.example/0"', "null", "the private Redis is for trying"),
    ("another host without `rediss", "rediss://", "redis://", "dialogues would lie in clear, or open to anybody"),
    ("another host without `rediss", "engine:word@", "", "dialogues would lie in clear, or open to anybody"),
    ("`http://` to another host", "https://core.example", "http://core.example", "PINs would travel in clear"),
    ("an address that is not", "127.0.0.1:8080", "0.0.0.0:8080", "passwords would come in over plain HTTP"),
    ("`debug`", "smpp_listen: 0.0.0.0:2775", "smpp_listen: 0.0.0.0:2775\n  log_level: debug", "libraries log what is"),
]
CORE = [
    ("the private server", "database_url: postgresql://serving@db.example/billing?sslmode=verify-full",
     "database_url: null", "the private server is not for production"),
    ("another host without", "serving@db.example/billing?sslmode=verify-full", "serving@db.example/billing",
     "the database would be spoken to in clear, or with anybody"),
    ("another host without", "owner@db.example/billing?sslmode=verify-full", "owner@/billing?host=db.example",
     "the database would be spoken to in clear, or with anybody"),
    ("the role that serves", "owner@db", "serving@db", "the role that serves owns the schema"),
    ("`true`", "simulated: false", "simulated: true", "payments and blocking would only be simulated"),
    ("less than 19456", "simulated: false", "simulated: false\n  hashing: {passes: 1}", "PINs would be tried out too"),
    ("`http://` to another", "https://engine.example", "http://engine.example", "passwords would travel in clear"),
    ("an address that is not", "127.0.0.1:8081", "0.0.0.0:8081", "PINs would come in over plain HTTP"),
    ("`debug`", "simulated: false", "simulated: false\n  log_level: debug", "libraries log what is none"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "old", "new", "words"), ENGINE, ids=[f"{each[0]} {each[2][:20]}" for each in ENGINE])
def test_the_engine_refuses(deployed: Path, rule: str, old: str, new: str, words: str) -> None:
    path = changed(deployed, old, new)
    assert words in told(read_settings, path)
    path.write_text(path.read_text().replace("production: true", "production: false"))
    assert told(read_settings, path) == "", "for trying it is taken"


@pytest.mark.parametrize(("rule", "old", "new", "words"), CORE, ids=[f"{each[0]} {each[2][:20]}" for each in CORE])
def test_the_core_refuses(deployed: Path, rule: str, old: str, new: str, words: str) -> None:
    path = changed(deployed, old, new)
    assert words in told(billing_core.config.read_config, path)
    path.write_text(path.read_text().replace("production: true", "production: false"))
    assert told(billing_core.config.read_config, path) == "", "for trying it is taken"


def test_each_rule_has_its_story() -> None:
    for rules, stories in ((of_engine.RULES, ENGINE), (of_core.RULES, CORE)):
        untold = [rule.refused for rule in rules if not any(rule.refused.startswith(each[0]) for each in stories)]
        assert untold == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10.1.2.0/24]", "8.8.8.0/24], plain: true"),
        ('address: "10.1.2.3:2775"', 'address: "smsc.example:2775", tls: {ca_file: ca.pem}'),
        ("rediss://engine:word@redis.example/0", "unix:///run/redis/redis.sock"),
        ("rediss://engine:word@redis.example/0", "redis://127.0.0.1/0"),
        ("https://core.example", "'http://[::1]:8081'"),
    ],
)
def test_what_stays_on_the_machine_or_is_said_to_be_in_a_tunnel_is_taken(deployed: Path, old: str, new: str) -> None:
    assert told(read_settings, changed(deployed, old, new)) == ""


def test_a_database_beside_us_needs_no_tls(deployed: Path) -> None:
    for where in ("127.0.0.1/billing", "/billing?host=/run/postgresql"):
        path = changed(deployed, "serving@db.example/billing?sslmode=verify-full", f"serving@{where}")
        assert told(billing_core.config.read_config, path) == ""


# --- files ---


@pytest.mark.parametrize("name", [*KEYS, "smsc"])
def test_a_secret_that_others_may_read_is_refused(deployed: Path, name: str) -> None:
    path = deployed / "keys" / name
    path.chmod(0o640)
    assert refused_of_files(deployed) == []
    for mode in (0o644, 0o660):
        path.chmod(mode)
        found = refused_of_files(deployed)
        assert found
        assert all(f"{path} has the mode {mode:04o}" in each for each in found)


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_is_short_or_not_there_is_refused(deployed: Path, name: str) -> None:
    path = deployed / "keys" / name
    _secret(path, "new" * 20 + "\n" + "x" * 31)
    assert any(f"{path} holds a key of fewer than 32 octets" in each for each in refused_of_files(deployed))
    path.write_bytes(b"")
    assert any(f"{path} holds a key of fewer" in each for each in of_core_or_engine(deployed))
    path.unlink()
    assert any(f"{path}: No such file" in each for each in of_core_or_engine(deployed))


def of_core_or_engine(folder: Path) -> list[str]:
    """What the rules for key files find, without those that read the keys."""
    settings, config = read_settings(folder / "config.yaml"), billing_core.config.read_config(folder / "config.yaml")
    return [*of_engine.FILE_RULES[0].found(settings), *of_core.FILE_RULES[0].found(config)]


def test_a_password_of_a_link_that_is_not_there_is_refused(deployed: Path) -> None:
    (deployed / "keys" / "smsc").unlink()
    assert [each.partition(": ")[2] for each in refused_of_files(deployed)] == ["No such file or directory"]


def test_two_names_with_one_key_are_refused(deployed: Path) -> None:
    same = (deployed / "keys" / "billing-core").read_text()
    _secret(deployed / "keys" / "operations", "new" * 20 + "\n" + same)
    assert refused_of_files(deployed) == ["billing-core and operations have the same key: give each its own"]
    _secret(deployed / "keys" / "operations", "operations" * 5)
    _secret(deployed / "keys" / "desk", (deployed / "keys" / "engine").read_text())
    assert refused_of_files(deployed) == ["the clients desk and engine have the same key: give each its own"]


def test_a_configuration_with_a_password_is_not_for_others_to_read(deployed: Path) -> None:
    path = changed(deployed, "serving@db", "serving:word@db")
    path.chmod(0o644)
    assert [each.partition(" has the mode")[0] for each in refused_of_files(deployed)] == [str(path), str(path)]


# --- memory ---


def test_memory_is_neither_dumped_nor_read() -> None:
    program = (
        "import ctypes, resource, hardening; hardening.keep_memory_private();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "(0, 0) 0\n"


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True), ("/run/x", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_which_hosts_are_this_machine(host: str, is_ours: bool) -> None:
    assert hardening.is_this_machine(host) is is_ours


# --- the page for operators ---


def test_the_page_for_operators_lists_what_is_refused() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    part = page.partition("\n## What production refuses\n")[2].partition("\n## ")[0]
    rows = [row for row in re.findall(r"^\| (.*) \| (.*) \|$", part, re.MULTILINE) if row[0] not in ("Setting", "---")]
    rules = [*of_engine.RULES, *of_engine.FILE_RULES, *of_core.RULES, *of_core.FILE_RULES]
    assert rows == [(f"`{rule.key}`" if ":" not in rule.key else rule.key, rule.refused) for rule in rules]
