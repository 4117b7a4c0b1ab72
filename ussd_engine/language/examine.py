"""Everything that menus go through before they are served: read, linted, proved to fit, tested, crawled (pure).

What stands in this list is what `ussd-engine check` says and what a live change has to pass: there is no second way in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from strict_yaml import Mistake

from . import check, crawl, talk, talk_files
from .catalog import Catalog, Checked, check_files
from .menu_file import Files
from .pages import Limits
from .talk import Networks, Played


class MenuFolder(NamedTuple):
    """The files of a folder of menus, and those of its talks; `name` is shown before theirs."""

    name: str
    menus: Files
    talks: Files


class Terms(NamedTuple):
    """What menus are checked against besides the contract: the networks, and what a screen may hold in each dialect."""

    networks: Networks
    dialects: Mapping[str, Limits]


class Verdict(NamedTuple):
    """What came out: mistakes (none: `catalog` can be served), notes, and how much was looked at."""

    mistakes: tuple[Mistake, ...]
    notes: tuple[check.Note, ...]
    catalog: Catalog | None
    checked: Checked
    played: tuple[Played, ...]
    counts: Mapping[str, int]


def examine(folder: MenuFolder, terms: Terms, crawled_before: Collection[str] = ()) -> Verdict:
    """Puts a folder of menus through everything. Tests and crawl are for menus that the linter has passed.

    `crawled_before`: versions of services that were crawled on these terms and had no mistake: once is enough.
    """
    checked = check_files(folder.menus, folder.name, terms.networks, terms.dialects)
    counts = {
        "services": len(checked.services),
        "screens": sum(len(service.screens) for service in checked.services.values()),
    }
    talks, mistakes = all_talks(folder, checked)
    if checked.mistakes or mistakes:
        return Verdict((*checked.mistakes, *mistakes), checked.notes, None, checked, (), counts)
    catalog = checked.catalog
    played = tuple(talk.play_all(catalog, talks, terms.networks))
    mistakes = [mistake for each in played for mistake in each.mistakes]
    walks = 0
    for service in catalog.services.values():
        # The engine's own service is never walked: its words are said.
        if service.id != check.ENGINE and service.version not in crawled_before:
            crawled = crawl.crawl(service, terms.networks, terms.dialects)
            mistakes += crawled.mistakes
            walks += crawled.walks
    counts |= {"tests": len(played), "walks": walks}
    found = tuple(sorted(set(mistakes)))
    return Verdict(found, checked.notes, None if found else catalog, checked, played, counts)


def all_talks(folder: MenuFolder, checked: Checked) -> tuple[list[talk.Talk], list[Mistake]]:
    """The talks that stand beside the menus, and those in files of their own."""
    beside = [each for service, node in checked.sources.items() for each in talk.talks_in(node, service)]
    apart, mistakes = talk_files.read_talks(folder.talks, f"{folder.name}/talks", checked)
    talks = beside + apart
    return talks, [*mistakes, *talk.twins(talks)]
