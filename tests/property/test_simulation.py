"""The whole engine under faults of every kind, on a loop without time: see `simulation`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulation.__main__ import told
from simulation.run import run

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 200
CHUNK = 10


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_whatever_goes_wrong_everybody_is_told_the_truth_once(first: int) -> None:
    for seed in range(first, first + CHUNK):
        verdict = run(seed)
        assert not verdict.broken, told(verdict)


def _hashes(hash_seed: str) -> list[Any]:
    ran = subprocess.run(
        [sys.executable, "-m", "simulation", "--from", "11", "--seeds", "3", "--json"],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not ran.returncode, ran.stdout + ran.stderr
    return [json.loads(line)["hash"] for line in ran.stdout.splitlines()]


def test_a_seed_is_the_same_run_wherever_it_runs() -> None:
    here = [run(seed).hash for seed in (11, 12, 13)]
    assert here == [run(seed).hash for seed in (11, 12, 13)]
    assert here == _hashes("1") == _hashes("2")
    assert len(set(here)) == len(here)
