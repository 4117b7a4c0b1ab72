"""Vulnerabilities in what we depend on: what fails a build, what is said, and what an outage of others does."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from stack import audit

ROOT = Path(__file__).resolve().parents[3]
NOTHING_KNOWN = {"name": "twisted", "version": "26.10.0", "vulns": []}
NOT_LOOKED_UP = {"name": "uvloop", "skip_reason": "Dependency not found on PyPI and could not be audited"}
VULNERABLE = {
    "name": "pyyaml",
    "version": "5.3.1",
    "vulns": [{"id": "PYSEC-2021-142", "fix_versions": ["5.4"], "aliases": ["CVE-2020-14343"]}],
}


class Service:
    """What pip-audit says, one answer after the other; the last one again and again."""

    def __init__(self, *answers: object) -> None:
        self._answers = [each if isinstance(each, str) else json.dumps({"dependencies": each}) for each in answers]
        self.asked: list[Sequence[str]] = []
        self.said: list[str] = []
        self.paused = 0

    def ask(self, files: Sequence[str]) -> str:
        self.asked.append(files)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]

    def finds_nothing(self) -> bool:
        def pause(_seconds: float) -> None:
            self.paused += 1

        return audit.look_up(self.ask, self.said.append, pause)


def test_locks_without_known_vulnerabilities_pass() -> None:
    service = Service([VULNERABLE], [NOTHING_KNOWN])
    assert service.finds_nothing()
    assert service.asked[1] == audit.LOCKS
    assert service.said == ["audit: 1 packages looked up, 0 vulnerabilities"]


def test_a_vulnerability_fails_and_says_what_mends_it() -> None:
    service = Service([VULNERABLE], [NOTHING_KNOWN, VULNERABLE])
    assert not service.finds_nothing()
    assert "audit: VULNERABLE: pyyaml 5.3.1: PYSEC-2021-142, CVE-2020-14343; mended in 5.4" in service.said


@pytest.mark.parametrize("silence", ["", "connection refused", "[]", [], [NOT_LOOKED_UP], [NOTHING_KNOWN]])
def test_a_service_that_does_not_ring_is_not_believed_and_fails_nobody(silence: object) -> None:
    """It is asked three times, with a pause between; a mirror that knows of nothing at all is such a one, too."""
    service = Service(silence)
    assert service.finds_nothing()
    assert (len(service.asked), service.paused) == (3, 2)
    assert service.said == [
        "AUDIT: the service that knows of vulnerabilities cannot be asked: the locks were NOT looked up"
    ]


def test_an_outage_in_the_middle_is_said() -> None:
    service = Service("", [VULNERABLE], "")
    assert service.finds_nothing()
    assert service.said == ["AUDIT: the service went away while it was asked: the locks were NOT looked up"]


def test_what_the_service_does_not_know_is_named() -> None:
    service = Service([VULNERABLE], [NOTHING_KNOWN, NOT_LOOKED_UP])
    assert service.finds_nothing()
    assert service.said[0] == "AUDIT: the service does not know, and did NOT look up: uvloop"


def test_one_that_does_not_reach_us_is_accepted_by_name_and_told() -> None:
    report = audit.read_report(json.dumps({"dependencies": [VULNERABLE]}), {"CVE-2020-14343": "we load no YAML by it"})
    assert report is not None
    assert report.found == []
    assert report.accepted == ["pyyaml 5.3.1: PYSEC-2021-142, CVE-2020-14343: we load no YAML by it"]


@pytest.mark.parametrize("name", audit.LOCKS)
def test_each_lock_pins_with_hashes(name: str) -> None:
    lock = (ROOT / name).read_text()
    pins = re.findall(r"^[a-z0-9][a-z0-9._-]*==", lock, re.MULTILINE)
    assert pins
    assert len(re.findall(r"^[a-z].*\\\n    --hash=sha256:", lock, re.MULTILINE)) == len(pins)
