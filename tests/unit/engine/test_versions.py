"""Versions of services: in force, older ones while dialogues need them, and none for longer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sessions.store import StoreAway
from tests.menus_for_tests import catalog_in
from ussd_engine.language.catalog import Catalog
from ussd_engine.versions import Versions

ROOT = Path(__file__).resolve().parents[3]
IDLE_SECONDS = 180.0
LIFETIME_SECONDS = 420.0
"""Twice the idle time and a minute."""
SERVICE = """menu: 1
service: shop
languages: {{en: English}}
dial: ["*100#"]
start: root
screens:
  root: {{menu: {{en: "{title}"}}, options: [{{id: end, text: {{en: End}}, go: end}}]}}
  end: {{end: {{en: Bye.}}}}
"""


class TimedShelf:
    """Forgets what nobody has put there for long enough; may be away."""

    def __init__(self) -> None:
        self.now = 0.0
        self.away = False
        self._kept: dict[str, tuple[float, bytes]] = {}

    async def put(self, octets: Mapping[str, bytes], seconds: float) -> None:
        if self.away:
            raise StoreAway
        self._kept.update({name: (self.now + seconds, each) for name, each in octets.items()})

    async def get(self, name: str) -> bytes | None:
        if self.away:
            raise StoreAway
        until, octets = self._kept.get(name, (0.0, b""))
        return octets if until > self.now else None


@pytest.fixture
def shelf() -> TimedShelf:
    return TimedShelf()


@pytest.fixture
def versions(tmp_path: Path, shelf: TimedShelf) -> Versions:
    return Versions(menus(tmp_path, "One"), shelf, lambda: shelf.now, IDLE_SECONDS)


def menus(folder: Path, title: str) -> Catalog:
    (folder / "engine.yaml").write_bytes((ROOT / "menus" / "engine.yaml").read_bytes())
    (folder / "shop.yaml").write_text(SERVICE.format(title=title))
    return catalog_in(folder)


def version_of(versions: Versions) -> str:
    return versions.current.services["shop"].version


async def test_an_older_version_is_there_while_a_dialogue_asks_for_it_and_leaves_after(
    versions: Versions, shelf: TimedShelf, tmp_path: Path
) -> None:
    first, alone = version_of(versions), versions.count
    await versions.swap(menus(tmp_path, "Two"))
    for _ in range(10):  # a dialogue that goes on for longer than any silence may last
        shelf.now += IDLE_SECONDS
        assert await versions.of("shop", first) is not None
        await versions.keep()
        assert versions.count == alone + 1
    shelf.now += LIFETIME_SECONDS + 1
    await versions.keep()
    assert versions.count == alone
    shelf.now += LIFETIME_SECONDS + 1
    assert await versions.of("shop", first) is None


async def test_another_process_finds_a_version_that_it_never_had_on_the_shelf(
    versions: Versions, shelf: TimedShelf, tmp_path: Path
) -> None:
    first = version_of(versions)
    await versions.keep()
    other = Versions(menus(tmp_path, "Two"), shelf, lambda: shelf.now, IDLE_SECONDS)
    found = await other.of("shop", first)
    assert found == versions.current.services["shop"]
    assert await other.of("shop", "0" * 16) is None


async def test_a_change_that_is_taken_back_is_the_same_version(versions: Versions, tmp_path: Path) -> None:
    first, alone = version_of(versions), versions.count
    await versions.swap(menus(tmp_path, "Two"))
    await versions.swap(menus(tmp_path, "One"))
    assert version_of(versions) == first
    assert versions.count == alone + 1  # "Two", which somebody may be looking at


async def test_without_a_shelf_menus_are_swapped_and_dialogues_of_this_process_go_on(
    versions: Versions, shelf: TimedShelf, tmp_path: Path
) -> None:
    first = version_of(versions)
    shelf.away = True
    await versions.swap(menus(tmp_path, "Two"))
    assert await versions.of("shop", first) is not None
    with pytest.raises(StoreAway):
        await versions.of("shop", "0" * 16)
