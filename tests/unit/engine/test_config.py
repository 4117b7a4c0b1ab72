"""config.yaml: what is not understood is refused at start, with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from strict_yaml import StrictYamlError
from ussd_engine import app
from ussd_engine.config import Settings, read_settings

ROOT = Path(__file__).resolve().parents[3]
OURS = (ROOT / "config.yaml").read_text()


def read(folder: Path, *changes: tuple[str, str]) -> Settings:
    text = OURS
    for old, new in (("dialects: dialects ", f"dialects: {ROOT / 'dialects'} "), *changes):
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "config.yaml").write_text(text)
    return read_settings(folder / "config.yaml")


def test_our_own_file_is_understood_and_names_the_private_redis(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.redis_url == f"unix://{tmp_path}/.data/run/redis.sock"
    link = settings.links["kcell-ussdc"]
    assert link.network.language == "kk"
    assert link.dialect.screen.ucs2_units == 80


def test_a_key_file_may_hold_the_key_of_before_which_is_still_taken(tmp_path: Path) -> None:
    settings = read(tmp_path)
    (tmp_path / ".data" / "keys").mkdir(parents=True)
    (tmp_path / ".data" / "keys" / "billing-core").write_text("new-0123456789abcdef\nold-0123456789abcdef\n")
    new, old = app.keys_of(settings, ".data/keys/billing-core")
    assert (new, old) == (b"new-0123456789abcdef", b"old-0123456789abcdef")
    assert app.key_of(settings, ".data/keys/billing-core") == new
    assert app._keys(settings, settings.engine.clients).keys == {"billing-core": (new, old)}


def test_a_link_may_override_fields_of_its_dialect(tmp_path: Path) -> None:
    settings = read(
        tmp_path, ("      demo: true", "      dialect_fields: {limits: {ucs2_units: 70}}\n      demo: true")
    )
    dialect = settings.links["kcell-ussdc"].dialect
    assert (dialect.screen.septets, dialect.screen.ucs2_units) == (182, 70)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("  log_level: info", "  loglevel: info"), "unknown key 'loglevel'. Did you mean 'log_level'?"),
        (("idle_seconds: 180", "idle_seconds: 5"), "5 is out of range. Write 10 to 3600."),
        (("idle_seconds: 180", "idle_seconds: long"), "text where a number is expected"),
        (("smpp_listen: 127.0.0.1:2775", "smpp_listen: 2775"), "'2775' is no address"),
        (("dialect: standard", "dialect: standart"), "no dialect 'standart'. Did you mean 'standard'?"),
        (("network: kcell", "network: kcel"), "no network 'kcel'. Did you mean 'kcell'?"),
        (("[127.0.0.1/32]", "[127.0.0.1/99]"), "is no address range"),
        (("redis_url: null", "redis_url: http://x"), "is no address of Redis"),
        (("time_zone: Asia/Almaty", "time_zone: Asia/Almata"), "no time zone 'Asia/Almata'"),
        (("url: http://127.0.0.1:8081", "url: 127.0.0.1:8081"), "is no base address"),
        (("production: false", "production: true"), "link 'kcell-ussdc' is a demo account"),
        (("production: false", "production: true"), "the private Redis is for trying"),
        (("trust: operator", "trust: friend"), "Write operator or partner or none."),
        (("engine:\n", "engines:\n"), "'engine' is missing"),
        (("      demo: true", "      dialect_fields: {limit: {}}\n      demo: true"), "unknown key 'limit'"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, change: tuple[str, str], line: str) -> None:
    with pytest.raises(StrictYamlError) as caught:
        read(tmp_path, change)
    told = str(caught.value)
    assert line in told
    assert told.startswith(f"{tmp_path}/config.yaml:")


def test_a_password_that_is_not_hashed_is_refused_and_not_repeated(tmp_path: Path) -> None:
    start = OURS.index("password_hash: ")
    old = OURS[start : OURS.index("\n", start)]
    with pytest.raises(StrictYamlError, match="password hash") as caught:
        read(tmp_path, (old, "password_hash: in-the-clear"))
    assert "in-the-clear" not in str(caught.value)
