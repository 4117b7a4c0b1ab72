"""Menus that were found green are kept compiled: what is read again, what is not believed, and what is checked anew."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec.structs import replace

from ussd_engine import compiler
from ussd_engine.compiled_folder import ENTRIES_MAX, CompiledFolder
from ussd_engine.compiler import Job
from ussd_engine.language.pages import Limits
from ussd_engine.menu_folder import read_folder

ROOT = Path(__file__).resolve().parents[3]
NETWORKS = {"kcell": ("KZ", "KZT", "Asia/Almaty")}
SERVICE = """menu: 1
service: shop
languages: {en: English}
dial: ["*100#"]
start: root
screens:
  root: {menu: {en: Shop}, options: [{id: bye, text: {en: "Yes"}, go: bye}]}
  bye: {end: {en: Bye.}}
"""
TALK = 'talks: 1\nservice: shop\ntests: [{name: x, talk: [{dial: "*100#", screen: "Shop\\n1 Yes"}]}]\n'
A, B = "a" * 64, "b" * 64


@pytest.fixture
def job(tmp_path: Path) -> Job:
    menus = tmp_path / "menus"
    (menus / "talks").mkdir(parents=True)
    shutil.copy(ROOT / "menus/engine.yaml", menus)
    (menus / "shop.yaml").write_text(SERVICE)
    (menus / "talks/shop.yaml").write_text(TALK)
    return Job(str(menus), NETWORKS, {"standard": Limits()}, sources=compiler.sources_digest())


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def kept(tmp_path: Path, told: list[str]) -> CompiledFolder:
    return CompiledFolder(tmp_path / "data/compiled", told.append)


def entry(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "data/compiled").iterdir()
    return path


def key(job: Job) -> str:
    return compiler.key_of(read_folder(Path(job.folder)), job)


async def no_child(_job: Job) -> NoReturn:
    raise AssertionError("the menus were checked")


# --- what is kept ---------------------------------------------------------------------------------------------------


async def test_green_menus_are_checked_once_and_then_read(
    job: Job, kept: CompiledFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await compiler.compile_once(job, kept)
    assert not first.mistakes
    assert entry(tmp_path).stat().st_mode & 0o777 == 0o600
    assert entry(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(compiler, "compile_apart", no_child)
    again = await compiler.compile_once(job, kept)
    assert (again.services, again.counts) == (first.services, first.counts)
    catalog = await compiler.catalog_from(again, {})
    assert set(catalog.services) == {"engine", "shop"}


def test_what_one_process_checked_another_folder_s_engine_reads(job: Job, kept: CompiledFolder, tmp_path: Path) -> None:
    compiler.compile_once_here(job, kept)
    shutil.copytree(job.folder, tmp_path / "elsewhere")
    assert key(replace(job, folder=str(tmp_path / "elsewhere"))) == key(job)


def test_red_menus_are_not_kept(job: Job, kept: CompiledFolder, tmp_path: Path) -> None:
    (Path(job.folder) / "shop.yaml").write_text(SERVICE.replace("go: bye", "go: by"))
    for _ in range(2):
        assert compiler.compile_once_here(job, kept).mistakes
    assert not (tmp_path / "data").exists()


def test_without_a_folder_nothing_is_kept(job: Job, tmp_path: Path) -> None:
    assert compiler.compile_once_here(job, None).services
    assert not (tmp_path / "data").exists()


# --- what is checked anew -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda job: (Path(job.folder) / "shop.yaml").write_text(SERVICE.replace("Bye.", "Good bye.")),
        lambda job: (Path(job.folder) / "talks/shop.yaml").write_text(TALK.replace("name: x", "name: y")),
        lambda job: (Path(job.folder) / "talks/shop.yaml").unlink(),
        lambda job: (Path(job.folder) / "shop.yaml").rename(Path(job.folder) / "store.yaml"),
        lambda job: replace(job, networks={"kcell": ("KZ", "KZT", "Asia/Bishkek")}),
        lambda job: replace(job, networks={**NETWORKS, "o": ("KG", "KGS", "Asia/Bishkek")}),
        lambda job: replace(job, dialects={"standard": Limits(ucs2_units=70)}),
    ],
    ids=["a menu", "a talk", "a talk less", "the name of a file", "a time zone", "a network more", "a limit"],
)
def test_another_file_or_term_is_another_key(job: Job, change: Callable[[Job], object]) -> None:
    before = key(job)
    changed = change(job)
    assert key(changed if isinstance(changed, Job) else job) != before


def test_other_sources_are_another_key_and_trust_no_crawl_of_before(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiler.compile_here(job)
    assert first.counts["walks"] > 0
    in_force = replace(job, in_force=list(first.services))
    assert compiler.compile_here(in_force).counts["walks"] == 0
    monkeypatch.setattr(compiler, "sources_digest", lambda: "those of a new release")
    again = compiler.compile_here(in_force)
    assert again.counts["walks"] == first.counts["walks"]
    assert again.key != first.key


def test_the_key_knows_the_sources_of_everything_that_a_check_loads() -> None:
    script = (
        "import sys, ussd_engine.compiler; print(*(getattr(m, '__file__', '') or '' for m in sys.modules.values()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {Path(name) for name in done.stdout.split() if name.startswith(str(ROOT)) and "/.venv/" not in name}
    digested = {path for pattern in compiler.SOURCES for path in ROOT.glob(pattern)}
    assert len(loaded) > 50
    assert loaded <= digested


# --- what is not believed -------------------------------------------------------------------------------------------


def flip_a_bit(path: Path) -> None:
    octets = bytearray(path.read_bytes())
    octets[-10] ^= 1
    path.write_bytes(octets)


def take_another_s(path: Path) -> None:
    CompiledFolder(path.parent, print).keep(B, b"others")
    (path.parent / f"{B}.menus").replace(path)


def link(path: Path) -> None:
    path.rename(path.parent.parent / "aside")
    path.symlink_to(path.parent.parent / "aside")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (flip_a_bit, "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1000]), "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (take_another_s, "or no entry of this key"),
        (link, "Too many levels of symbolic links"),
        (lambda path: path.chmod(0o660), "others may write to"),
        (lambda path: path.parent.chmod(0o777), "others may write to"),
    ],
    ids=["a bit", "cut off", "empty", "of another key", "a link", "writable", "in a writable folder"],
)
def test_an_entry_that_cannot_be_believed_is_told_of_and_the_menus_are_checked(
    job: Job, kept: CompiledFolder, told: list[str], tmp_path: Path, harm: Callable[[Path], object], reason: str
) -> None:
    first = compiler.compile_once_here(job, kept)
    harm(entry(tmp_path))
    again = compiler.compile_once_here(job, kept)
    assert again.services == first.services
    assert again.memory_kib > 0
    assert told[0].startswith("compiled menus are not read: ")
    assert reason in told[0]


def test_a_folder_of_somebody_else_is_neither_read_nor_written(
    kept: CompiledFolder, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.keep(A, b"ours")
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert kept.find(A) is None
    kept.keep(B, b"theirs")
    assert [line.split(": ")[0] for line in told] == ["compiled menus are not read", "compiled menus are not kept"]
    assert entry(tmp_path).name == f"{A}.menus"


def test_a_place_that_cannot_be_written_stops_nothing(job: Job, told: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert compiler.compile_once_here(job, CompiledFolder(tmp_path / "file/compiled", told.append)).services
    assert "Not a directory" in told[-1]


# --- how many, and beside others ------------------------------------------------------------------------------------


def test_those_that_were_used_last_are_kept(kept: CompiledFolder, tmp_path: Path) -> None:
    kept.keep(A, b"used at each start")
    for number in range(3 * ENTRIES_MAX):
        kept.keep(f"{number:064}", b"once")
        assert kept.find(A) == b"used at each start"
    assert len(list((tmp_path / "data/compiled").iterdir())) == ENTRIES_MAX


def test_who_reads_while_others_write_finds_all_of_an_entry(kept: CompiledFolder, told: list[str]) -> None:
    octets = bytes(300_000)
    kept.keep(A, octets)
    with ThreadPoolExecutor(4) as many:
        writing = [many.submit(kept.keep, A, octets) for _ in range(40)]
        found = [many.submit(kept.find, A) for _ in range(200)]
        assert all(each.result() == octets for each in found)
        assert not any(each.exception() for each in writing)
    assert not told
