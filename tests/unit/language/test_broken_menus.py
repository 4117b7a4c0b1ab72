"""Every mistake that an author can make: one file each in `tests/broken_menus`, with all that is said of it.

A file begins with `# expect: place: what is wrong. What to write.`, one line a mistake, in order; it is read as
`broken.yaml` beside our `engine.yaml`. A folder is a set of files that are only wrong together.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.menus_for_tests import NETWORKS
from ussd_engine.language.examine import MenuFolder, Terms, examine
from ussd_engine.language.pages import Limits

ROOT = Path(__file__).resolve().parents[3]
BROKEN = sorted((ROOT / "tests/broken_menus").iterdir())
ENGINE = (ROOT / "menus/engine.yaml").read_bytes()
TERMS = Terms(
    {name: NETWORKS[name] for name in ("kcell", "megacom")}, {"standard": Limits(), "narrow": Limits(160, 70)}
)


def menus_of(case: Path) -> dict[str, bytes]:
    if case.is_file():
        return {"broken.yaml": case.read_bytes(), "engine.yaml": ENGINE}
    found = {path.name: path.read_bytes() for path in sorted(case.glob("*.yaml"))}
    return found if (case / "engine.yaml.missing").exists() else {"engine.yaml": ENGINE, **found}


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.stem)
def test_a_mistake_is_told_with_its_place_and_its_cure(case: Path) -> None:
    menus = menus_of(case)
    lines = menus["broken.yaml"].decode(errors="replace").splitlines()
    expected = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    verdict = examine(MenuFolder("menus", menus, {}), TERMS)
    told = [str(mistake).removeprefix("menus/").replace("\n", "\\n") for mistake in verdict.mistakes]
    assert told == expected
    assert expected
    assert verdict.catalog is None


def test_there_is_a_file_for_every_kind_of_mistake() -> None:
    assert len(BROKEN) >= 180
