from __future__ import annotations

import json
from functools import partial

import pytest

from benchmarks import __main__ as command
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.churn import ChurnRow
from benchmarks.hostile import HostileRow
from benchmarks.recording import traffic
from benchmarks.timing import Case, Row, Work, measure, table


def row(ratio: float | None, target: float | None, *, at_least: bool = False) -> Row:
    return Row("some", "thing", 1.0, 1e6, None, "floor", ratio, 10.0, target, at_least)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs(name: str) -> None:
    rows = BENCHMARKS[name](1, 0.01)
    assert rows
    assert all(each.benchmark == name and each.us_per_event > 0 for each in rows)
    assert all((each.ratio is None) == (not each.floor) for each in rows)


def test_the_traffic_is_the_same_each_time_and_of_the_size_that_the_targets_are_about() -> None:
    chunks = traffic(2)
    assert traffic(2) == chunks
    assert len(chunks) == 2 * 213
    assert {chunk.origin.connection for chunk in chunks[:20]} == {chunk.origin.connection for chunk in chunks}


def test_the_fastest_round_counts_and_is_divided_by_its_floor() -> None:
    started: list[str] = []

    def start(name: str) -> Work:
        started.append(name)
        return lambda: None

    cases = [Case("a", partial(start, "a"), 10), Case("b", partial(start, "b"), 10, size=100, floor="a")]
    first, second = measure("some", cases, 3)
    assert started == ["a", "b"] * 3
    assert (first.ratio, first.mb_per_s) == (None, None)
    assert second.ratio == pytest.approx(second.us_per_event / first.us_per_event)
    assert second.added_ns == pytest.approx((second.us_per_event - first.us_per_event) * 1000)
    assert second.mb_per_s == pytest.approx(10 / second.us_per_event)


@pytest.mark.parametrize(
    ("made", "met", "failed"),
    [
        (row(2.0, 2.0), True, False),
        (row(2.9, 2.0), False, False),
        (row(3.1, 2.0), False, True),
        (row(3.0, 3.0, at_least=True), True, False),
        (row(2.1, 3.0, at_least=True), False, False),
        (row(1.9, 3.0, at_least=True), False, True),
        (row(9.9, None), True, False),
        (row(None, None), True, False),
    ],
)
def test_a_target_is_missed_at_once_and_failed_only_by_half_as_much_again(made: Row, met: bool, failed: bool) -> None:
    assert (made.met, made.failed) == (met, failed)


@pytest.mark.parametrize(
    ("cpu", "peak", "met", "failed"),
    [(0.15, 256, True, False), (0.4, 1, False, False), (0.5, 1, False, True), (0.1, 257, False, True)],
)
def test_hostile_traffic_may_be_slower_on_a_busy_machine_but_never_larger(
    cpu: float, peak: float, met: bool, failed: bool
) -> None:
    made = HostileRow("hostile", "floods", 1.0, 1e6, cpu_s_per_mb=cpu, cpu_most=0.15, size=2, peak=peak, cut=1.5)
    assert (made.met, made.failed) == (met, failed)
    head, line = table([made]).splitlines()
    assert head.split() == ["hostile", "MB", "CPU", "s/MB", "target", "peak", "MB", "target", "MB", "cut", "met"]
    assert line.split() == [
        "floods",
        "2.00",
        f"{cpu:.3f}",
        "<=",
        "0.15",
        f"{peak:.1f}",
        "<=",
        "256",
        "1.50",
        "yes" if met else "no",
    ]


@pytest.mark.parametrize(("growth", "met"), [(12.0, True), (12.1, False), (-5.0, True)])
def test_memory_that_grows_with_what_is_over_is_a_failure_and_the_map_of_the_store_is_not(growth: float, met: bool) -> None:
    made = ChurnRow("churn", "many", 1.0, 1e6, anonymous=50, mapped=900, stored=1000, growth=growth)
    assert (made.met, made.failed) == (met, not met)
    assert table([made]).splitlines()[1].split() == [
        "many", "1.000", "50.0", f"{growth:+.1f}", "<=", "12", "900.0", "1000.0", "yes" if met else "no"
    ]  # fmt: skip


def test_a_table_shows_the_target_and_whether_it_is_met() -> None:
    *_, last = table([row(1.0, 2.0), row(3.1, 2.0)]).splitlines()
    assert last.split() == ["thing", "1.000", "1,000,000", "3.10", "+10", "<=", "2", "no", "floor"]


@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--check"], 1)])
def test_only_check_fails_on_a_ratio(
    arguments: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def some(rounds: int, scale: float = 1.0, /) -> list[Row]:
        return [row(9.0, 2.0)]

    monkeypatch.setattr(command, "BENCHMARKS", {"some": some})
    assert main(arguments) == status
    assert "some: thing: ratio 9.00, target 2" in capsys.readouterr().err


def test_the_rows_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ring", "--rounds", "1", "--scale", "0.01", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rounds"] == 1
    assert {each["benchmark"] for each in report["rows"]} == {"ring"}


@pytest.mark.parametrize("arguments", [["nothing"], ["--rounds", "0"], ["--rounds", "x"]])
def test_what_cannot_be_run_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "error: argument" in capsys.readouterr().err
