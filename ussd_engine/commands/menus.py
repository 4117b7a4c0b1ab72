"""Commands for whoever writes menus: check, fit, test, crawl, graph, outline, diff, schema. None of them needs a
running system, but `diff`, which also counts running dialogues when there is one."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sessions.redis_store import RedisStore
from sessions.store import StoreAway
from strict_yaml import Mistake, StrictYamlError, did_you_mean

from .. import compiler, menu_folder
from ..config import Settings, read_settings
from ..language import check, crawl, diff, fit, graph, outline, schema, talk_files
from ..language.catalog import Checked, check_files
from ..language.coverage import Coverage, coverage
from ..language.examine import MenuFolder, Terms, Verdict, all_talks, examine
from ..language.menu import Service
from ..language.talk import Played, play_all
from . import CommandFailed

if TYPE_CHECKING:
    from . import Commands

SCHEMA_FILE = Path("docs/menu.schema.json")
_FIT_HEAD = (
    f"{'service':<16} {'screen':<32} {'lang':<4} {'dialect':<12} {'worst':>5} {'of':>5} {'unit':<12} "
    "what makes it UCS-2"
)


def add(  # long because: a command and its options stand side by side
    commands: Commands[argparse.ArgumentParser], config: argparse.ArgumentParser
) -> None:
    """Adds the commands to the parser."""
    checking = _command(
        commands, config, "check", _check, "everything that menus go through before they are served",
        "Lints every menu, checks it against the billing contract, proves that screens fit, plays the tests and "
        "crawls. Each mistake comes with file:line:column and what to write. Exit code 1 when there is one.",
    )  # fmt: skip
    checking.add_argument("--no-notes", action="store_true", help="mistakes only")
    checking.add_argument(
        "--once", action="store_true", help="mistakes only, and none that was looked for already: engine.menus_compiled"
    )
    fitting = _command(
        commands, config, "fit", _fit, "how long each screen can get, against what a page holds",
        "For each screen, language and dialect of a configured link: the worst case, the limit, and what can make it "
        "UCS-2. Exit code 1 when a screen can be cut.",
    )  # fmt: skip
    fitting.add_argument("--all", action="store_true", help="every row, not only the tightest of each screen")
    testing = _command(
        commands, config, "test", _test, "play the tests beside the menus and in menus/talks/",
        "Plays every talk with mocked calls and shows what no talk has been through.",
    )  # fmt: skip
    testing.add_argument(
        "--update", action="store_true", help="write what screens are now into the tests, and show the diff"
    )
    testing.add_argument(
        "--missed", action="store_true", help="name every screen, option and outcome that no talk reaches"
    )
    _command(
        commands, config, "crawl", _crawl, "walk everything in every language with data of every kind",
        "Presses every key of every screen, with the shortest and the longest data, in other alphabets, with empty and "
        "full lists. Exit code 1 when something is never reached, does not fit, or loops.",
    )  # fmt: skip
    drawing = _command(
        commands, config, "graph", _graph, "a picture of a service, or of all, as Mermaid",
        "Prints a Mermaid flowchart of screens, options, calls and outcomes.",
    )  # fmt: skip
    drawing.add_argument("--service", help="this one only")
    drawing.add_argument("--language", default="", help="of the titles (default: the service's first)")
    outlining = _command(
        commands, config, "outline", _outline, "a service, or all, as an indented list of what is pressed",
        "Prints what is pressed and what comes then, when all goes well, with codes, operations and switches.",
    )  # fmt: skip
    outlining.add_argument("--service", help="this one only")
    outlining.add_argument("--language", default="", help="of the texts (default: the service's first; of a page: en)")
    outlining.add_argument("--page", type=Path, help="write them anew in this page, as docs/services.md")
    differing = commands.add_parser(
        "diff", parents=[config], help="what a change of menus breaks",
        description="Compares two folders of menus, or revisions of git: screens, options, codes, what is dialled "
        "through, and dialogues that are running on the old ones. Exit code 1 when something breaks.",
        epilog="examples:\n  ussd-engine diff HEAD menus          what is not committed yet\n"
        "  ussd-engine diff v1.2 HEAD --json    two revisions, for scripts",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    differing.add_argument("old", help="a folder, or a revision of git")
    differing.add_argument("new", help="a folder, or a revision of git")
    differing.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    differing.set_defaults(run=_diff)
    writing = commands.add_parser("schema", help="write the JSON Schema of menus, by which editors complete them")
    writing.add_argument("file", nargs="?", type=Path, default=SCHEMA_FILE, help=f"(default: {SCHEMA_FILE})")
    writing.add_argument("--keys", action="store_true", help="print the table of all keys instead, as Markdown")
    writing.set_defaults(run=_schema)


def _command(
    commands: Commands[argparse.ArgumentParser], config: argparse.ArgumentParser, name: str,
    run: Callable[[argparse.Namespace], int], short: str, long: str,
) -> argparse.ArgumentParser:  # fmt: skip
    parser = commands.add_parser(name, parents=[config], help=short, description=long)
    parser.add_argument("path", nargs="?", type=Path, help="folder of menus, or one file of it (default: engine.menus)")
    parser.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    parser.set_defaults(run=run)
    return parser


# --- what is looked at ----------------------------------------------------------------------------------------------


def _settings_of(arguments: argparse.Namespace) -> tuple[Settings, MenuFolder, Terms, str]:
    """The settings, the folder of menus, what it is checked against, and the one file that was asked about, or ""."""
    settings = read_settings(arguments.config)
    path: Path = getattr(arguments, "path", None) or settings.path(settings.engine.menus)
    only = path.name if not path.is_dir() else ""
    if only and not path.exists():
        raise CommandFailed(f"there is no {path}")
    if only and (path.suffix != ".yaml" or path.parent.name == menu_folder.TALKS):
        raise CommandFailed(f"{path} is no menu: name the folder of menus, or a .yaml file in it")
    folder = menu_folder.read_folder(_short(path.parent if only else path))
    return settings, folder, compiler.terms_of(compiler.job_of(settings)), only


def _short(path: Path) -> Path:
    """A path as people read it: relative, where it lies below the working folder."""
    return path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path


def _of_file(mistakes: Iterable[Mistake], only: str) -> list[Mistake]:
    return [each for each in mistakes if not only or Path(each.place.file).name == only]


def _checked(folder: MenuFolder, terms: Terms) -> Checked:
    """The menus, which have to be without mistakes for what is asked. Raises StrictYamlError."""
    checked = check_files(folder.menus, folder.name, terms.networks, terms.dialects)
    if checked.mistakes:
        raise StrictYamlError(checked.mistakes)
    return checked


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _listed(mistakes: Iterable[Mistake]) -> list[dict[str, Any]]:
    return [{**each.place._asdict(), "what": each.what, "cure": each.cure} for each in mistakes]


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


def _print_json(found: Mapping[str, Any]) -> None:
    print(json.dumps(found, ensure_ascii=False))


# --- check ----------------------------------------------------------------------------------------------------------


def _check(arguments: argparse.Namespace) -> int:
    began = time.perf_counter()
    settings, folder, terms, only = _settings_of(arguments)
    if arguments.once and not only:
        job = replace(compiler.job_of(settings), folder=folder.name)
        result = compiler.compile_once_here(job, compiler.folder_of(settings, _warn))
        return _tell_check(arguments, result.mistakes, (), result.counts, time.perf_counter() - began)
    verdict = examine(folder, terms)
    mistakes = _of_file(verdict.mistakes, only)
    if only and not verdict.played and not mistakes:  # others have mistakes: this one is played without them
        verdict = examine(_alone(folder, verdict, only), terms)
        mistakes = list(verdict.mistakes)
    notes = [each for each in verdict.notes if not only or Path(each.place.file).name == only]
    return _tell_check(arguments, mistakes, notes, verdict.counts, time.perf_counter() - began)


def _tell_check(
    arguments: argparse.Namespace, mistakes: list[Mistake], notes: Collection[check.Note],
    counts: Mapping[str, int], seconds: float,
) -> int:  # fmt: skip
    if arguments.json:
        told = [{**each.place._asdict(), "what": each.what} for each in notes]
        found = {"ok": not mistakes, **counts, "seconds": round(seconds, 3), "mistakes": _listed(mistakes)}
        _print_json({**found, "notes": told})
        return 1 if mistakes else 0
    if not mistakes and not arguments.no_notes:
        for note in notes:
            print(note)
    for mistake in mistakes:
        print(mistake)
    print(_summary(mistakes, counts, seconds))
    return 1 if mistakes else 0


def _alone(folder: MenuFolder, verdict: Verdict, only: str) -> MenuFolder:
    """The folder with one menu, the engine's words and the files of screens."""
    services = {Path(node.place.file).name: service for service, node in verdict.checked.sources.items()}
    parts = {name for name in folder.menus if name not in services}
    keep = {only, *parts, *(name for name, service in services.items() if service == check.ENGINE)}
    menus = {name: octets for name, octets in folder.menus.items() if name in keep}
    return MenuFolder(folder.name, menus, {})


def _summary(mistakes: list[Mistake], counts: Mapping[str, int], seconds: float) -> str:
    if not mistakes:
        counted = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        return f"All is well: {counted}. {seconds:.2f} s"
    by_file = Counter(each.place.file for each in mistakes)
    files = ", ".join(f"{count} in {file}" for file, count in sorted(by_file.items()))
    skipped = "" if "tests" in counts else " Tests and crawl wait until these are mended."
    return f"{_counted(len(mistakes), 'mistake')}: {files}.{skipped} The first: {mistakes[0]} {seconds:.2f} s"


# --- fit ------------------------------------------------------------------------------------------------------------


def _fit(arguments: argparse.Namespace) -> int:
    _, folder, terms, only = _settings_of(arguments)
    checked = check_files(folder.menus, folder.name, terms.networks, {})
    if checked.mistakes:
        raise StrictYamlError(checked.mistakes)
    rows = [
        row for row in fit.proof(checked.services.values(), terms.dialects)
        if not only or Path(row.place.file).name == only
    ]  # fmt: skip
    missed = [row for row in rows if not row.fits]
    if arguments.json:
        listed = [
            {**row._asdict(), "place": str(row.place), "signs": sorted(row.signs), "fits": row.fits} for row in rows
        ]
        _print_json({"ok": not missed, "rows": listed})
        return 1 if missed else 0
    print(_FIT_HEAD)
    for row in rows if arguments.all else _tightest(rows):
        mark = "" if row.fits else "  TOO LONG"
        print(
            f"{row.service:<16} {row.screen:<32} {row.language:<4} {row.dialect:<12} {row.length:>5} {row.limit:>5}"
            f" {row.unit:<12} {row.wide}{mark}"
        )
    print(
        f"{len(rows)} rows, {len(missed)} too long"
        + ("" if arguments.all else "; the tightest of each screen is shown")
    )
    return 1 if missed else 0


def _tightest(rows: list[fit.Worst]) -> list[fit.Worst]:
    found: dict[tuple[str, str], fit.Worst] = {}
    for row in rows:
        known = found.get((row.service, row.screen))
        if known is None or row.length / row.limit > known.length / known.limit:
            found[row.service, row.screen] = row
    return list(found.values())


# --- test -----------------------------------------------------------------------------------------------------------


def _test(arguments: argparse.Namespace) -> int:
    _, folder, terms, only = _settings_of(arguments)
    checked = _checked(folder, terms)
    talks, mistakes = all_talks(folder, checked)
    if mistakes:
        raise StrictYamlError(mistakes)
    talks = [each for each in talks if not only or Path(each.node.place.file).name == only]
    catalog = checked.catalog
    played = play_all(catalog, talks, terms.networks)
    if arguments.update and _update(played, folder):
        return _test(argparse.Namespace(**{**vars(arguments), "update": False}))
    seen = [each for one in played for each in one.seen]
    covered = [
        coverage(service, seen) for service in catalog.services.values()
        if service.id != check.ENGINE and (not only or Path(service.place.file).name == only)
    ]  # fmt: skip
    return _tell_tests(arguments, played, covered)


def _tell_tests(arguments: argparse.Namespace, played: list[Played], covered: list[Coverage]) -> int:
    mistakes = [mistake for each in played for mistake in each.mistakes]
    failed = [each.talk for each in played if each.mistakes]
    if arguments.json:
        names = [{"service": each.service, "name": each.name} for each in failed]
        told = {"ok": not failed, "tests": len(played), "failed": names, "mistakes": _listed(mistakes)}
        _print_json({**told, "coverage": [each._asdict() for each in covered]})
        return 1 if failed else 0
    for talk, mistake in ((each.talk, mistake) for each in played for mistake in each.mistakes):
        print(f"{mistake}  [{talk.service}: {talk.name}]")
    for each in covered:
        print(each)
        for name in each.missed if arguments.missed else ():
            print(f"    not reached: {name}")
    print(f"{len(played)} tests, {len(failed)} failed" + (": --update writes what screens are now" if failed else ""))
    return 1 if failed else 0


def _update(played: list[Played], folder: MenuFolder) -> bool:
    """Rewrites expectations; whether there was one to rewrite."""
    by_file: dict[str, list[Any]] = {}
    for each in played:
        for difference in each.differences:
            by_file.setdefault(difference.node.place.file, []).append(difference)
    for name, differences in by_file.items():
        path = Path(name)
        before = path.read_bytes()
        after = talk_files.updated(before, differences)
        path.write_bytes(after)
        print(talk_files.difference(before, after, name), end="")
    return bool(by_file)


# --- crawl, graph, outline ------------------------------------------------------------------------------------------


def _crawl(arguments: argparse.Namespace) -> int:
    _, folder, terms, only = _settings_of(arguments)
    services = _services(_checked(folder, terms), only)
    mistakes: list[Mistake] = []
    rows = []
    for service in services:
        began = time.perf_counter()
        found = crawl.crawl(service, terms.networks, terms.dialects)
        mistakes += found.mistakes
        seconds = time.perf_counter() - began
        rows.append({"service": service.id, "walks": found.walks, "whole": found.whole, "seconds": round(seconds, 3)})
        if not arguments.json:
            left = "" if found.whole else ", not everything: it has too many states"
            mistaken = _counted(len(found.mistakes), "mistake")
            print(f"{service.id}: {found.walks:,} inputs in {seconds:.2f} s, {mistaken}{left}")
    if arguments.json:
        _print_json({"ok": not mistakes, "services": rows, "mistakes": _listed(mistakes)})
    for mistake in mistakes if not arguments.json else ():
        print(mistake)
    return 1 if mistakes else 0


def _services(checked: Checked, only: str) -> list[Service]:
    return [
        service for service in checked.catalog.services.values()
        if service.id != check.ENGINE and (not only or Path(service.place.file).name == only)
    ]  # fmt: skip


def _graph(arguments: argparse.Namespace) -> int:
    _, folder, terms, only = _settings_of(arguments)
    services = _asked_for(_services(_checked(folder, terms), only), arguments)
    drawn = graph.mermaid(services, arguments.language)
    if arguments.json:
        _print_json({"mermaid": drawn})
    else:
        print(drawn, end="")
    return 0


def _asked_for(services: list[Service], arguments: argparse.Namespace) -> list[Service]:
    """Those that `--service` and `--language` name."""
    if arguments.service:
        services = [service for service in services if service.id == arguments.service]
        if not services:
            raise CommandFailed(f"there is no service '{arguments.service}'")
    spoken = {language for service in services for language in service.languages}
    if arguments.language and arguments.language not in spoken:
        raise CommandFailed(f"no service speaks '{arguments.language}'. {did_you_mean(arguments.language, spoken)}")
    return services


def _outline(arguments: argparse.Namespace) -> int:
    _, folder, terms, only = _settings_of(arguments)
    services = _asked_for(_services(_checked(folder, terms), only), arguments)
    if arguments.page:
        page, by_name = arguments.page, {service.id: service for service in services}
        try:
            page.write_text(outline.page_with(page.read_text(), by_name, arguments.language or "en"))
        except ValueError as error:
            raise CommandFailed(f"{page}: {error}") from None
        print(f"wrote {page}", file=sys.stderr)
        return 0
    outlined = {each.id: outline.outline(each, arguments.language) for each in services if each.dial or each.sms}
    if arguments.json:
        _print_json({"outlines": outlined})
    else:
        print("\n".join(f"{name}\n{text}" for name, text in outlined.items()), end="")
    return 0


# --- diff -----------------------------------------------------------------------------------------------------------


def _diff(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    terms = compiler.terms_of(compiler.job_of(settings))
    menus = settings.path(settings.engine.menus)
    try:
        old, new = (_checked(menu_folder.read_anywhere(name, menus), terms) for name in (arguments.old, arguments.new))
    except menu_folder.NoSuchRevision as error:
        raise CommandFailed(str(error)) from None
    found = diff.changes(old.services, new.services)
    running = asyncio.run(_running(settings, old.services, new.services))
    breaks = [each for each in found if each.breaks]
    if arguments.json:
        listed = [each._asdict() for each in found]
        _print_json({"ok": not breaks, "changes": listed, "running": running})
        return 1 if breaks else 0
    for each in found:
        print(f"{'BREAKS' if each.breaks else 'changes'}  {each.service}: {each.what}")
    for line in _running_lines(running):
        print(line)
    print(f"{_counted(len(found), 'change')}, {len(breaks)} of them breaking" if found else "nothing has changed")
    return 1 if breaks else 0


async def _running(
    settings: Settings, old: Mapping[str, Service], new: Mapping[str, Service]
) -> list[dict[str, Any]] | None:
    """Dialogues of changed services by where they stand; None when the store cannot be asked."""
    store = RedisStore(settings.redis_url)
    counts: Counter[tuple[str, str]] = Counter()
    try:
        async for session in store.all_sessions():
            changed = session.service in old and (
                session.service not in new or new[session.service].version != session.menu
            )
            if changed and not session.ended:
                counts[session.service, session.screen] += 1
    except StoreAway:
        return None
    finally:
        await store.close()
    return [
        {"service": service, "screen": screen, "dialogues": count,
         "screen_is_gone": service not in new or screen not in new[service].screens}
        for (service, screen), count in sorted(counts.items())
    ]  # fmt: skip


def _running_lines(running: list[dict[str, Any]] | None) -> Iterable[str]:
    if running is None:
        yield "running dialogues: not known, the store does not answer"
        return
    for row in running:
        gone = ", which is gone" if row["screen_is_gone"] else ""
        where = f"{row['dialogues']} on screen '{row['screen']}'{gone}"
        yield f"running  {row['service']}: {where}: they go on with the old version"
    if not running:
        yield "running dialogues: none of these services"


def _schema(arguments: argparse.Namespace) -> int:
    if arguments.keys:
        print(schema.key_table(), end="")
        return 0
    try:
        arguments.file.write_text(json.dumps(schema.schema(), ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        raise CommandFailed(f"{arguments.file}: {error.strerror}") from None
    print(f"wrote {arguments.file}", file=sys.stderr)
    return 0
