"""The commands of whoever writes menus, as they are typed: what they say, and with which exit code."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from ussd_engine import cli

ROOT = Path(__file__).resolve().parents[3]
SERVICE = """menu: 1
service: {name}
languages: {{en: English}}
dial: ["*{code}#"]
start: root
screens:
  root: {{menu: {{en: Menu}}, options: [{{id: bye, text: {{en: "Yes"}}, go: bye}}]}}
  bye: {{end: {{en: Bye.}}}}
tests: [{{name: x, talk: [{{dial: "*{code}#", screen: "{screen}"}}]}}]
"""
GOOD = "Menu\\n1 Yes"


class Typed:
    """A checkout of its own, and a terminal in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def menu(self, name: str, code: int, screen: str = GOOD, more: str = "") -> None:
        text = SERVICE.format(name=name, code=code, screen=screen)
        (self.folder / "menus" / f"{name}.yaml").write_text(text + more)

    def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code, and all that was printed."""
        self._monkeypatch.setattr(sys, "argv", ["ussd-engine", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = self._capsys.readouterr()
        return int(str(ended.value.code)), said.out + said.err


@pytest.fixture
def type_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    shutil.copy(ROOT / "config.yaml", tmp_path)
    shutil.copytree(ROOT / "dialects", tmp_path / "dialects")
    (tmp_path / "menus").mkdir()
    shutil.copy(ROOT / "menus" / "engine.yaml", tmp_path / "menus")
    monkeypatch.chdir(tmp_path)
    typed = Typed(tmp_path, monkeypatch, capsys)
    typed.menu("one", 101)
    return typed


def test_all_is_well(type_: Typed) -> None:
    code, said = type_("check")
    assert code == 0
    assert "All is well: 2 services" in said


def test_what_was_found_green_is_not_looked_for_again_when_so_asked(
    type_: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, first = type_("check", "--once")
    assert code == 0
    assert first.startswith("All is well: 2 services")
    type_.menu("two", 102, screen="Something else")
    code, said = type_("check", "--once")
    assert code == 1
    assert "[two: x]" in said or "menus/two.yaml:" in said
    (type_.folder / "menus/two.yaml").unlink()
    monkeypatch.setattr("ussd_engine.compiler.examine", None)  # nobody can check any more
    code, said = type_("check", "--once")
    assert code == 0
    assert said.split(". ")[0] == first.split(". ")[0]
    code, said = type_("check", "--once", "--json")
    assert (code, json.loads(said)["ok"]) == (0, True)


def test_a_failing_test_is_named_with_what_was_expected(type_: Typed) -> None:
    type_.menu("one", 101, "Menus")
    code, said = type_("check")
    assert code == 1
    assert "test 'x': the screen is 'Menu\\n1 Yes', not 'Menus'" in said


def test_one_file_is_played_although_another_has_mistakes(type_: Typed) -> None:
    type_.menu("two", 102, more="mistaek: 1\n")
    assert type_("check", "menus/one.yaml")[0] == 0
    type_.menu("one", 101, "Menus")
    code, said = type_("check", "menus/one.yaml")
    assert code == 1
    assert "menus/one.yaml" in said
    assert "mistaek" not in said


@pytest.mark.parametrize(
    ("path", "says"),
    [("config.yaml.bak", "there is no config.yaml.bak"), ("README.md", "no menu"), ("menus/talks/x.yaml", "no menu")],
)
def test_what_is_no_menu_is_not_checked(type_: Typed, path: str, says: str) -> None:
    (type_.folder / "README.md").write_text("read me")
    (type_.folder / "menus" / "talks").mkdir()
    (type_.folder / "menus" / "talks" / "x.yaml").write_text("talks: 1\n")
    code, said = type_("check", path)
    assert code == 1
    assert says in said


def test_what_editors_leave_in_the_folder_is_passed_over(type_: Typed) -> None:
    (type_.folder / "menus" / ".#one.yaml").symlink_to("nobody@nowhere:1")
    (type_.folder / "menus" / "._one.yaml").write_bytes(b"\0\1")
    assert type_("check")[0] == 0


def test_a_menu_under_a_name_that_is_not_read_is_told_of(type_: Typed) -> None:
    (type_.folder / "menus" / "two.yml").write_text("menu: 1\n")
    code, said = type_("check")
    assert code == 1
    assert "menus/two.yml:1:1: a file that would not be read. Name it two.yaml." in said


def test_a_link_to_nothing_is_a_mistake_with_its_place(type_: Typed) -> None:
    (type_.folder / "menus" / "two.yaml").symlink_to("gone.yaml")
    code, said = type_("check")
    assert code == 1
    assert "menus/two.yaml:1:1: it cannot be read" in said


@pytest.mark.parametrize("command", ["check", "fit", "test", "crawl", "graph", "outline"])
def test_every_command_speaks_json(type_: Typed, command: str) -> None:
    code, said = type_(command, "--json")
    assert code == 0
    assert isinstance(json.loads(said), dict)


def test_a_failure_is_json_too(type_: Typed) -> None:
    code, said = type_("check", "nope.yaml", "--json")
    assert code == 1
    assert json.loads(said.splitlines()[0]) == {"ok": False, "error": "there is no nope.yaml"}


def test_something_is_switched_off_while_a_menu_has_mistakes(type_: Typed) -> None:
    type_.menu("two", 102, more="mistaek: 1\n")
    assert type_("maintenance", "off", "one")[0] == 0
    assert "OFF  one" in type_("maintenance")[1]
    assert type_("maintenance", "on", "one")[0] == 0


def test_what_has_no_text_for_it_is_not_switched_off(type_: Typed) -> None:
    code, said = type_("maintenance", "off", "one/root")
    assert code == 1
    assert "it has no `maintenance:` text in its menu" in said
    assert "engine" not in type_("maintenance")[1]


def test_a_language_that_nobody_speaks_is_not_drawn(type_: Typed) -> None:
    code, said = type_("graph", "--language", "de")
    assert code == 1
    assert "no service speaks 'de'" in said


def test_a_page_of_outlines_is_written_anew(type_: Typed) -> None:
    page = type_.folder / "page.md"
    page.write_text("<!-- outline one -->\n<!-- end -->\n")
    assert type_("outline", "--page", "page.md")[0] == 0
    assert "*101#\n  Menu\n    1 Yes\n      ■ Bye.\n" in page.read_text()
    page.write_text("<!-- outline two -->\n<!-- end -->\n")
    code, said = type_("outline", "--page", "page.md")
    assert code == 1
    assert "page.md: there is no service 'two'" in said


def test_neither_a_folder_nor_a_revision(type_: Typed) -> None:
    code, said = type_("diff", "menus", "nope")
    assert code == 1
    assert "neither a folder nor a revision of git" in said
