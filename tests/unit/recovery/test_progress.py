"""How far programs are, told beside a sandbox's clock and nowhere else."""

from pathlib import Path

from recovery.adapters.progress import ProgressReport, ReadProgress, place, progress_reporter, reports


def test_the_last_report_of_each_program_is_read_back(tmp_path: Path) -> None:
    clock = tmp_path / "clock.json"
    streams, ticker = progress_reporter(clock, "streams-a"), progress_reporter(clock, "ticker")
    assert streams is not None
    assert ticker is not None
    assert reports(clock) == {}
    streams(ProgressReport(process="1", read={place("facts", 0): 3}))
    streams(ProgressReport(process="1", read={place("facts", 0): 7}, written={place("recovery.events", 0): 9}))
    ticker(ProgressReport(process="2", at=12.5, next=20.0))
    told = reports(clock)
    assert told["streams-a"] == ProgressReport(process="1", read={"facts/0": 7}, written={"recovery.events/0": 9})
    assert told["ticker"].at == 12.5
    assert told["ticker"].next == 20.0


def test_nothing_is_told_where_business_time_is_wall_time() -> None:
    assert progress_reporter(None, "ticker") is None


def test_a_reader_that_was_killed_goes_on_from_what_it_told_so_that_a_partition_without_news_does_not_count_as_unread(
    tmp_path: Path,
) -> None:
    clock = tmp_path / "clock.json"
    ReadProgress(clock, "warehouse-0", "1")({"recovery.events/0": 41, "recovery.events/1": 7})
    ReadProgress(clock, "warehouse-0", "2")({"recovery.events/0": 44})
    assert reports(clock)["warehouse-0"] == ProgressReport(process="2", read={"recovery.events/0": 44, "recovery.events/1": 7})
