"""Files of records: numbered, renamed when they are whole, with modes, and safe from a second engine."""

from __future__ import annotations

import json
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sessions.session import Session
from ussd_engine.record import CAUSES, DialogueRecord, dialogue_record, sms_record, to_line
from ussd_engine.record_files import RecordFiles, RecordsBusy

SESSION = Session(
    id="d1", msisdn="77010000007", link="kcell-ussdc", reference="", network="kcell", brand="Kcell", status="active",
    language="ru", service="self_service", menu="abc", started_at=1_764_000_000.0, turn=2, screen="balance",
    code="*111#", path=("root/balance",), charges=(("wallet.confirm", "call-1"),), ended=True,
)  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_dialogue_is_one_line_with_everything_that_mediation_needs() -> None:
    assert json.loads(to_line(dialogue_record(SESSION, "ended", 1_764_000_001.5, 7))) == {
        "record": "dialogue", "seq": 7, "id": "d1", "msisdn": "77010000007", "network": "kcell", "link": "kcell-ussdc",
        "code": "*111#", "service": "self_service", "menu": "abc", "language": "ru",
        "began": "2025-11-24T16:00:00.000Z", "ended": "2025-11-24T16:00:01.500Z", "turns": 3,
        "path": ["root/balance", "balance"], "cause": "ended", "charges": [{"call": "wallet.confirm", "id": "call-1"}],
    }  # fmt: skip


def test_a_record_has_nothing_of_what_was_typed_or_shown() -> None:
    session = replace(SESSION, values={"name": "Айгуль"}, shown="Баланс: 1 тг")
    line = to_line(dialogue_record(session, "idle", 0.0, 1)).decode()
    assert "Айгуль" not in line
    assert "Баланс" not in line
    assert "idle" in CAUSES


def test_a_file_is_part_until_it_is_handed_over_and_has_head_and_tail(tmp_path: Path) -> None:
    clock = Clock()
    files = RecordFiles(tmp_path / "records", "engine", 3600, clock)
    files.add(lambda seq: dialogue_record(SESSION, "ended", clock(), seq))
    files.add(sms_record("mt", "77010000007", "kcell", "l", "111", "notices", clock(), 2, "accepted", "m1"))
    files.flush()
    part = next((tmp_path / "records").glob("*.part"))
    assert part.name == "engine.000001.20251124T160000Z.part"
    assert stat.S_IMODE(part.stat().st_mode) == 0o640
    assert stat.S_IMODE(part.parent.stat().st_mode) == 0o750
    clock.now += 3600
    files.flush()
    whole = part.with_suffix(".jsonl")
    assert not part.exists()
    head, first, second, tail = lines(whole)
    assert (head["record"], head["file"], head["engine"], head["format"]) == ("begin", 1, "engine", 1)
    assert (first["seq"], second["seq"]) == (1, 2)
    assert (second["record"], second["direction"], second["parts"], second["id"]) == ("sms", "mt", 2, "m1")
    assert (tail["record"], tail["records"]) == ("end", 2)


def test_file_numbers_go_on_when_files_are_taken_away_and_the_engine_is_started_again(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        files = RecordFiles(tmp_path, "engine", 3600, Clock())
        files.add(lambda seq: dialogue_record(SESSION, "ended", 0.0, seq))
        files.close()
        whole = next(tmp_path.glob("*.jsonl"))
        assert whole.name.startswith(f"engine.{number:06}.")
        whole.unlink()


def test_what_a_killed_engine_left_is_handed_over_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "engine.000009.20251124T150000Z.part").write_text('{"record":"begin"}\n')
    (tmp_path / "engine-2.000001.20251124T150000Z.part").write_text("")
    RecordFiles(tmp_path, "engine", 3600, Clock()).close()
    assert (tmp_path / "engine.000009.20251124T150000Z.jsonl").exists()
    assert (tmp_path / "engine-2.000001.20251124T150000Z.part").exists()  # another engine is writing it


def test_two_engines_of_one_name_are_refused(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path, "engine", 3600, Clock())
    with pytest.raises(RecordsBusy, match=r"give each its own `engine\.name`"):
        RecordFiles(tmp_path, "engine", 3600, Clock())
    files.close()
    RecordFiles(tmp_path, "engine", 3600, Clock()).close()


def test_without_records_there_is_no_file(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path, "engine", 3600, Clock())
    files.flush()
    files.close()
    assert [path.name for path in tmp_path.iterdir()] == ["engine.sequence"]


@contextmanager
def room_for(octets: int) -> Iterator[None]:
    """No file of this process gets longer: a write ends in the middle, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def ended(seq: int) -> DialogueRecord:
    return dialogue_record(SESSION, "ended", 0.0, seq)


def test_what_could_not_be_written_is_written_once_and_whole_when_there_is_room_again(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path, "engine", 3600, Clock())
    files.add(ended)
    files.flush()
    [part] = tmp_path.glob("*.part")
    for more in (10, 500):  # not even a line; one line and a half
        for _ in range(2):
            files.add(ended)
        with room_for(part.stat().st_size + more), pytest.raises(OSError, match="File too large"):
            files.flush()
        assert len(lines(part)) == 2  # half a line would not be read
    files.close()
    written = lines(next(tmp_path.glob("*.jsonl")))
    assert [each.get("seq") for each in written] == [None, 1, 2, 3, 4, 5, None]
    assert written[-1]["records"] == 5


def test_a_file_that_cannot_be_begun_costs_no_number(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path, "engine", 3600, Clock())
    files.add(ended)
    for _ in range(3):
        with room_for(20), pytest.raises(OSError, match="File too large"):
            files.flush()
        assert not list(tmp_path.glob("*.part"))
    files.close()
    assert [path.name.split(".")[1] for path in tmp_path.glob("*.jsonl")] == ["000001"]


def test_a_file_that_cannot_be_handed_over_is_handed_over_later(tmp_path: Path) -> None:
    clock = Clock()
    files = RecordFiles(tmp_path, "engine", 3600, clock)
    files.add(ended)
    files.flush()
    [part] = tmp_path.glob("*.part")
    clock.now += 3600
    with room_for(part.stat().st_size + 10), pytest.raises(OSError, match="File too large"):
        files.flush()
    files.flush()
    assert lines(part.with_suffix(".jsonl"))[-1] == {"record": "end", "records": 1, "at": "2025-11-24T17:00:00.000Z"}
    files.close()


def test_a_disk_that_stays_full_costs_the_oldest_records_and_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ussd_engine.record_files.WAITING_MAX", 3)
    files = RecordFiles(tmp_path, "engine", 3600, Clock())
    assert [files.add(ended) for _ in range(5)] == [True, True, True, False, False]
    files.close()
    assert lines(next(tmp_path.glob("*.jsonl")))[-1]["records"] == 3


def test_a_clock_that_is_set_back_an_hour_holds_up_no_file(tmp_path: Path) -> None:
    clock = Clock()
    files = RecordFiles(tmp_path, "engine", 3600, clock)
    files.add(ended)
    files.flush()
    clock.now -= 3600
    files.flush()
    assert len(list(tmp_path.glob("*.jsonl"))) == 1
    files.close()


def test_a_record_reads_back_typed() -> None:
    record = dialogue_record(SESSION, "ended", 0.0, 1)
    assert isinstance(record, DialogueRecord)
    assert record.charges[0].id == "call-1"
