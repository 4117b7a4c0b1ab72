"""The services in force: found by network and code, checked together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strict_yaml import StrictYamlError
from tests.menus_for_tests import LIMITS, NETWORKS, catalog_in
from ussd_engine.language import talk
from ussd_engine.language.catalog import Catalog, check_files
from ussd_engine.language.examine import all_talks
from ussd_engine.menu_folder import read_folder

ROOT = Path(__file__).resolve().parents[3]
SERVICE = """menu: 1
service: {name}
languages: {{ru: Русский}}
dial: [{codes}]
open_to: {{networks: [{networks}]}}
start: root
screens:
  root: {{end: {{ru: Я {name}}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "engine.yaml").write_bytes((ROOT / "menus" / "engine.yaml").read_bytes())
    return tmp_path


def add(folder: Path, name: str, codes: str, networks: str) -> None:
    (folder / f"{name}.yaml").write_text(SERVICE.format(name=name, codes=codes, networks=networks))


def found(catalog: Catalog, network: str, *parts: str) -> str | None:
    service = catalog.find(network, parts)
    return None if service is None else f"{service.service.id} {'*'.join(service.rest)}".strip()


def test_the_longest_declared_code_wins(folder: Path) -> None:
    add(folder, "short", '"*111#"', "kcell")
    add(folder, "long", '"*111*5#"', "kcell")
    catalog = catalog_in(folder)
    assert found(catalog, "kcell", "111") == "short"
    assert found(catalog, "kcell", "111", "5", "2") == "long 2"
    assert found(catalog, "kcell", "111", "3") == "short 3"
    assert found(catalog, "kcell", "1113") is None


def test_one_code_is_two_services_on_two_networks(folder: Path) -> None:
    add(folder, "one", '"*111#"', "kcell")
    add(folder, "two", '"*111#"', "megacom")
    catalog = catalog_in(folder)
    assert found(catalog, "kcell", "111") == "one"
    assert found(catalog, "megacom", "111") == "two"
    assert found(catalog, "o", "111") is None


def test_one_code_of_two_services_on_one_network_is_refused(folder: Path) -> None:
    add(folder, "one", '"*111#"', "kcell, o")
    add(folder, "two", '"*111#"', "o")
    with pytest.raises(StrictYamlError, match=r"\*111# also belongs to service 'one'"):
        catalog_in(folder)


def test_a_network_that_is_not_configured_is_refused(folder: Path) -> None:
    add(folder, "one", '"*111#"', "kcel")
    with pytest.raises(StrictYamlError, match="there is no network 'kcel'"):
        catalog_in(folder)


def test_the_engine_must_have_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(StrictYamlError, match="no service 'engine'"):
        catalog_in(tmp_path)


def test_mistakes_of_all_files_come_together(folder: Path) -> None:
    (folder / "a.yaml").write_text("menu: 1")
    (folder / "b.yaml").write_text("menu: [")
    with pytest.raises(StrictYamlError) as caught:
        catalog_in(folder)
    assert {Path(mistake.place.file).name for mistake in caught.value.mistakes} == {"a.yaml", "b.yaml"}


FOLDER = read_folder(ROOT / "menus")
CHECKED = check_files(FOLDER.menus, FOLDER.name, NETWORKS, LIMITS)
OURS = CHECKED.catalog
TALKS = all_talks(FOLDER, CHECKED)[0]


@pytest.mark.parametrize("each", TALKS, ids=lambda each: f"{each.service}: {each.name}")
def test_the_talks_beside_our_menus(each: talk.Talk) -> None:
    assert talk.play(OURS, each, NETWORKS).mistakes == ()


def test_every_language_of_every_service_of_ours_is_talked_in() -> None:
    for service in OURS.services.values():
        if service.dial:
            spoken = {str(each.node.items["language"].value) for each in TALKS
                      if each.service == service.id and "language" in each.node.items}  # fmt: skip
            assert spoken | {next(iter(service.languages))} == set(service.languages)


def test_a_talk_that_goes_another_way_fails_with_its_place(folder: Path) -> None:
    add(folder, "one", '"*111#"', "kcell")
    with (folder / "one.yaml").open("a") as file:
        file.write("tests:\n  - name: x\n    calls: {balances.get: unknown}\n")
        file.write('    talk: [{dial: "*111#", screen: Нет}]\n')
    read = read_folder(folder)
    checked = check_files(read.menus, read.name, NETWORKS, LIMITS)
    played = talk.play_all(checked.catalog, all_talks(read, checked)[0], NETWORKS)
    told = [mistake.what for each in played for mistake in each.mistakes]
    assert told == [
        "test 'x': the screen is 'Я one', not 'Нет'",
        "test 'x': the dialogue ends here",
        "test 'x': 'balances.get' was never called",
    ]


USER = (
    'menu: 1\nservice: one\nlanguages: {ru: Русский}\ndial: ["*101#"]\nuse: {file: common.yaml, as: common}\n'
    "start: root\nscreens:\n  root: {menu: {ru: Меню}, options: [{id: a, text: {ru: А}, go: common.bye}]}\n"
)
PART = "menu: 1\npart: common\nlanguages: {ru: Русский}\nscreens:\n  bye: {end: {ru: Пока.}}\n"


@pytest.mark.parametrize(
    ("file", "line", "without_colon", "place"),
    [
        ("common.yaml", "screens:", "screens", "common.yaml:5:6"),  # in the file that is used
        ("one.yaml", "start: root", "start root", "one.yaml:7:1"),  # in the only one that uses it
    ],
)
def test_one_mistake_of_yaml_is_one_mistake(folder: Path, file: str, line: str, without_colon: str, place: str) -> None:
    for name, text in (("one.yaml", USER), ("common.yaml", PART)):
        (folder / name).write_text(text.replace(line, without_colon) if name == file else text)
    read = read_folder(folder)
    mistakes = check_files(read.menus, read.name, NETWORKS, LIMITS).mistakes
    assert [place in str(each) for each in mistakes] == [True], mistakes


def test_what_is_no_file_or_has_no_end_is_refused_and_not_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "zero.yaml").symlink_to("/dev/zero")
    (folder / "folder.yaml").mkdir()
    with (folder / "hole.yaml").open("wb") as hole:
        hole.truncate(10 * 2**30)
    with pytest.raises(StrictYamlError) as caught:
        read_folder(folder)
    told = [str(each).removeprefix(f"{folder}/") for each in caught.value.mistakes]
    assert told == [
        "folder.yaml:1:1: it is no file. Remove it.",
        "hole.yaml:1:1: the file has 10737418240 octets. At most 262144: split it.",
        "pipe.yaml:1:1: it is no file. Remove it.",
        "zero.yaml:1:1: it is no file. Remove it.",
    ]
