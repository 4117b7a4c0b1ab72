"""People pay and reserve while answers are lost and parts are killed: nothing is lost, and nothing happens twice.

A tenth of what `make chaos` does, in one system: first the lost answers, then the kills.
"""

from __future__ import annotations

import pytest

from chaos.answers import lose_answers, stand_with_proxies
from chaos.judge import people_at_it
from chaos.kills import kill_all
from chaos.report import Report, Terms


@pytest.mark.timeout(600)
async def test_lost_answers_and_kills_lose_nothing_and_double_nothing(tenth: Terms) -> None:
    report = Report("money", tenth.seed)
    async with stand_with_proxies(tenth) as (stand, proxies), people_at_it(stand, tenth, report):
        await lose_answers(tenth, proxies)
        await kill_all(stand, tenth)
    assert report.failures == [], report.as_text()
    assert report.figures["charged once"] > 1000
