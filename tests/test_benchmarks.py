from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agentsight_rx.errors import UsageError
from benchmarks import __main__ as command
from benchmarks import suite
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.agent_overhead import interval
from benchmarks.bench import as_json, bench
from benchmarks.churn import ChurnRow
from benchmarks.figures import Figure, Report, Size, report_table, shown, worse
from benchmarks.growth import exponent
from benchmarks.hostile import HostileRow
from benchmarks.machine import this_machine
from benchmarks.recording import traffic
from benchmarks.suite import GROUPS, QUICK, measured
from benchmarks.timing import Case, Row, Work, measure, table

TINY = Size(rounds=1, scale=0.01, runs=1, pairs=1)
IN_A_GROUP = {
    "hop",
    "stages",
    "redaction",
    "keyed",
    "sse",
    "wire",
    "filters",
    "fold",
    "contexts",
    "store",
    "ring",
    "hostile",
    "churn",
}


def row(ratio: float | None, target: float | None, *, at_least: bool = False) -> Row:
    return Row("some", "thing", 1.0, 1e6, None, "floor", ratio, 10.0, target, at_least)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BENCHMARKS.keys() - IN_A_GROUP))
def test_every_benchmark_without_a_figure_runs(name: str) -> None:
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


# -- figures ------------------------------------------------------------------------------------------------------------

KEYS = {
    "replay": {"replay: replay -q of lines of the original to one json.loads pass"},
    "graph": {
        "graph: graph to parse only, 64 connections",
        "graph: graph to parse only, 1,000 connections",
        "graph: naive RxPY to the graph, 64 connections",
        "graph: a store, threaded: added to the graph",
    },
    "wire": {"wire: WebSocket to chunked HTTP/1.1", "wire: zstd, flushed behind each event to chunked HTTP/1.1"},
    "operators": {
        "operators: + parse_http: added, to parse only",
        "operators: 6 operators, batch 256, to: plain loop, 6 functions",
    },
    "ring": {"ring: the same out of a ring, to: unpack a TLS record of 150 bytes"},
    "store": {
        "store: a segment of 1000, to: a row an event, transactions of 1000",
        "store: a call of content never seen",
        "store: a call of a growing conversation, beyond its new content",
        "store: the file of small calls, to its compressed log and contents",
    },
    "growth": {"growth: growth in events", "growth: growth in deltas of one answer", "growth: growth in connections"},
    "hostile": {
        "hostile: hostile traffic, processor time a MB, worst of all kinds",
        "hostile: hostile traffic, peak of memory, worst of all kinds",
    },
    "churn": {"memory: anonymous memory after churn"},
    "start": {
        "start: record -- true, warm: before the command",
        "start: --help",
        "memory: anonymous memory of record, processes only",
    },
    "idle": {"idle: processor while nothing happens"},
    "calls": {
        "calls: write to a device, by a program that is not watched, to the same without a capture",
        "calls: write to a file of its own, by a program that is watched, to the same without a capture",
    },
    "tls": {
        "tls: slowdown of a loop of TLS records of 200 bytes (Python)",
        "tls: records that these loops lose",
        "tls: fastest rate without loss, records of 4,096 bytes",
    },
    "stacks": {"stacks: added to a record of 200 bytes: Python, libssl"},
    "hits": {"hits: a probe on nop", "hits: write and read of TLS in memory, probes placed by entry: slowdown"},
    "proxy": {
        "proxy: what a client waits longer under record, a growing conversation",
        "proxy: what a client waits longer under record, a sliding window",
    },
    "agent": {"agent: wall-clock time that record adds to a scripted agent"},
}


def groups() -> Iterator[object]:
    for name, group in GROUPS.items():
        yield pytest.param(name, marks=[pytest.mark.live] if group.needs_root else [])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(groups()))
def test_every_group_gives_its_figures(name: str) -> None:
    figures = {figure.key: figure for figure in measured(name, TINY)}
    assert KEYS[name] <= figures.keys(), report_table(list(figures.values()))
    assert [] == [key for key in KEYS[name] if figures[key].value is None]


def figure(value: float | None, target: float | None = None, **more: object) -> Figure:
    return Figure(group="some", name="thing", value=value, target=target, **more)  # type: ignore[arg-type]


def report(*figures: Figure) -> Report:
    return Report(date="2026-11-27T00:00:00+00:00", machine=this_machine(), seconds=1.0, figures=figures)


@pytest.mark.parametrize(
    ("made", "met"),
    [
        (figure(2.0, 2.0), True),
        (figure(2.1, 2.0), False),
        (figure(3.0, 3.0, at_least=True), True),
        (figure(2.9, 3.0, at_least=True), False),
        (figure(0.5, 1.0, low=0.1, high=2.0, high_target=2.0), True),
        (figure(0.5, 1.0, low=0.1, high=2.1, high_target=2.0), False),
        (figure(9.9), None),
        (figure(None, 1.0), None),
    ],
)
def test_a_figure_is_met_missed_or_neither(made: Figure, met: bool | None) -> None:
    assert made.met is met


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (figure(2.0), figure(3.0), 0),
        (figure(2.0), figure(3.1), 1),
        (figure(3.0, at_least=True), figure(2.0, at_least=True), 0),
        (figure(3.0, at_least=True), figure(1.9, at_least=True), 1),
        (figure(2.0, unit="s"), figure(9.0, unit="s"), 0),
        (figure(0.0), figure(9.0), 0),
        (figure(2.0), figure(None), 0),
    ],
)
def test_only_a_ratio_that_is_worse_by_more_than_half_is_reported(before: Figure, now: Figure, found: int) -> None:
    assert len(worse(report(now), report(before))) == found


def test_a_figure_that_the_baseline_lacks_is_not_worse() -> None:
    assert [] == worse(report(figure(9.0)), report())


def test_a_value_is_shown_with_its_unit_and_its_interval() -> None:
    texts = [
        shown(figure(1.25)),
        shown(figure(123456.7, unit="/s")),
        shown(figure(1.03, unit="n^")),
        shown(figure(0.5, unit="%", low=0.2, high=0.8)),
        shown(figure(None)),
    ]
    assert texts == ["1.25x", "123,457/s", "n^1.03", "0.50% (0.20% to 0.80%)", "-"]


def test_the_exponent_of_a_square_is_two() -> None:
    assert exponent([(count, 3.0 * count**2) for count in (1, 2, 4, 8)]) == pytest.approx(2.0)


def test_the_interval_of_pairs_is_that_of_student() -> None:
    logs = [0.01, 0.02, 0.03, 0.02, 0.01, 0.03, 0.02, 0.01, 0.03, 0.02]
    middle, low, high = interval([math.exp(each) for each in logs])
    assert math.log(middle) == pytest.approx(0.02)
    # s = 0.0081650, t(0.975, 9) = 2.26216
    assert math.log(high) - math.log(middle) == pytest.approx(2.26216 * 0.0081650 / math.sqrt(10), rel=1e-3)
    assert math.log(middle) - math.log(low) == pytest.approx(math.log(high) - math.log(middle))


@pytest.fixture
def one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def some(name: str, size: Size) -> Iterator[Figure]:
        yield figure(3.0 if size == QUICK else 4.0, 2.0)

    monkeypatch.setattr(suite, "measured", some)


@pytest.mark.usefixtures("one_group")
def test_a_report_is_a_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "baseline.json"
    assert bench(["ring"], json=False, quick=True, baseline=None, save=file) == 0
    assert "some: thing: 3.00x, target <= 2.00x" in capsys.readouterr().out
    assert bench(["ring"], json=True, quick=False, baseline=file, save=None) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == [{"group": "some", "name": "thing", "value": 4.0, "target": 2.0}]
    file.write_bytes(as_json(report(figure(2.0))))
    assert bench(["ring"], json=True, quick=False, baseline=file, save=None) == 1
    assert "some: thing: 4.00x, in the baseline 2.00x" in capsys.readouterr().err


def test_what_is_wrong_is_reported_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no benchmark rung; there are start, "):
        bench(["rung"], json=False, quick=True, baseline=None, save=None)
    with pytest.raises(UsageError, match="cannot be read"):
        bench([], json=False, quick=True, baseline=tmp_path / "none.json", save=None)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UsageError, match="is not a report"):
        bench([], json=False, quick=True, baseline=tmp_path / "other.json", save=None)
    with pytest.raises(UsageError, match="there is no directory"):
        bench([], json=False, quick=True, baseline=None, save=tmp_path / "none" / "b.json")


def test_without_root_what_needs_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (left_out,) = measured("tls", TINY)
    assert (left_out.value, left_out.note) == (None, "needs root")


def test_a_group_that_fails_says_so_and_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: suite.Group, size: Size) -> Iterator[Figure]:
        yield figure(1.0)
        raise ZeroDivisionError("by none")

    monkeypatch.setattr(suite.Group, "figures", fails)
    first, second = measured("ring", TINY)
    assert (first.value, second.value, second.note) == (1.0, None, "failed: ZeroDivisionError('by none')")
