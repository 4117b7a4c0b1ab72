"""The mix of services that `make bench` drives, in short: every step gets the screen that the bench looks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from bench import mix
from bench.wallets import make_wallets
from tests.conftest import RunningStack
from tests.own_engine import own_engine

NUMBERS, WALLETS = 10_000, 2_000


async def test_every_screen_of_the_mix_is_right(
    running_stack: RunningStack, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mix, "WARM_SECONDS", 0.5)
    await make_wallets(running_stack.settings, WALLETS)
    with own_engine(running_stack, "mix", free_port) as engine:
        parts = mix.parts(NUMBERS, WALLETS)
        found = await mix.drive(engine.settings.engine_smpp, parts, [4], 1.0, lambda: 0.0)
    rows = (*found.fastest, found.steady)
    assert [(row.wrong_screens, row.refused) for row in rows] == [(0, 0), (0, 0)]
    assert found.unanswered == 0
    assert all(row.turns_per_second > 10 for row in rows)


def test_each_part_has_its_share_and_numbers_of_its_own() -> None:
    parts = mix.parts(NUMBERS, WALLETS)
    assert [part.share for part in parts] == [6, 2, 1, 1]
    drawn = Counter(number for part in parts for number, _ in zip(part.scenario.numbers(), range(900), strict=False))
    assert set(drawn.values()) == {1}
