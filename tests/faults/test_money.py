"""People pay and reserve while answers are lost and parts are killed: nothing is lost, and nothing happens twice.

A tenth of what `make chaos` does, in one system: first the lost answers, then the kills.
"""

from __future__ import annotations

import pytest

from chaos.answers import lose_answers, stand_with_proxies
from chaos.judge import judge
from chaos.kills import kill_all
from chaos.load import PAYERS, RESERVERS, Load
from chaos.people import add_people
from chaos.report import Report, Terms


@pytest.mark.timeout(600)
async def test_lost_answers_and_kills_lose_nothing_and_double_nothing(tenth: Terms) -> None:
    report = Report("money", tenth.seed)
    async with stand_with_proxies(tenth) as (stand, proxies):
        await add_people(stand, PAYERS, RESERVERS)
        load = Load(stand, tenth.chance("load"))
        load.begin()
        await lose_answers(tenth, proxies)
        await kill_all(stand, tenth)
        await load.end()
        await judge(stand, load, report)
    assert report.failures == [], report.as_text()
    assert report.figures["charged once"] > 1000
