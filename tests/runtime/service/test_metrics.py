"""The figures of a recorder, as Prometheus reads them over HTTP."""

from __future__ import annotations

import builtins
import http.client
import re
import socket
import socketserver
from collections.abc import Generator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from agentsight_rx.errors import SinkError, UsageError
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.events.tokens import Usage, counts_of
from agentsight_rx.runtime.recording.price_file import load_prices
from agentsight_rx.runtime.service.bounds import Memory
from agentsight_rx.runtime.service.metrics import Figures, Served, Shown, samples, serve
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tally import Tally, Totals
from agentsight_rx.store.rows.uses import Use, Uses
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import CallRow, SessionRow
from agentsight_rx.view.queries.calls.costs import usd_of_call
from agentsight_rx.view.queries.calls.tokens import read_tokens
from agentsight_rx.view.queries.selection import Selection

SERIES_MOST = 200


def figures(**more: Any) -> Figures:
    ledger = Ledger()
    meter = ledger.meter("tls")
    meter.seen = 70
    meter.lose(Reason.KERNEL_LOST, 3)
    meter.lose(Reason.FILTERED, 5)
    ledger.meter("to store").lose(Reason.KERNEL_LOST, 4)
    totals = Totals(calls=9, calls_unfinished=3, models={"claude-sonnet-4": 7})
    uses = {
        ("claude-sonnet-4", "claude"): Use(6, Usage(11, 2, 3, 2), Decimal("1.25"), priced=6),
        ("qwen", "claude"): Use(1, Usage(8), unpriced=1),
    }
    return replace(Figures(totals, ledger, uses, agents=2, memory=Memory(5, 99), rules="4c1e"), **more)


class Scene:
    def __init__(self) -> None:
        self.figures = figures()
        self.served: Served = serve("127.0.0.1", 0, lambda: self.figures)

    def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(*self.served.address, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.getheader("Content-Type") or ""
        finally:
            connection.close()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Generator[Scene]:
    monkeypatch.setattr(socketserver.BaseServer.serve_forever, "__defaults__", (0.02,))  # how often it looks whether to end
    scene = Scene()
    yield scene
    scene.served.close()


def values(text: str) -> dict[tuple[str, ...], float]:
    """Of the text of Prometheus, read by its own parser."""
    return {
        (sample.name, *(part for label in sample.labels.items() for part in label)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_what_there_is(scene: Scene) -> None:
    status, text, kind = scene.get("/metrics")
    found = values(text)
    assert (200, True) == (status, kind.startswith("text/plain"))
    sonnet = "agent", "claude", "model", "claude-sonnet-4"
    assert (6.0, 1.25) == (found["agentsight_calls_total", *sonnet], found["agentsight_cost_usd_total", *sonnet])
    tokens = {key[4]: value for key, value in found.items() if (*key[:3], *key[5:]) == ("agentsight_tokens_total", *sonnet)}
    assert {"input": 11.0, "output": 2.0, "cache_creation": 3.0, "cache_read": 2.0} == tokens
    assert (2.0, 1.0) == (found["agentsight_calls_open",], found["agentsight_calls_unfinished_total",])
    assert 3.0 == found["agentsight_lost_total", "reason", "kernel_lost", "stage", "tls"]
    assert 4.0 == found["agentsight_lost_total", "reason", "kernel_lost", "stage", "to store"]
    assert not any("filtered" in key for key in found), "which is no loss"
    assert (2.0, 1.0) == (found["agentsight_agents",], found["agentsight_rules_info", "sha256", "4c1e"])
    assert 99.0 == found["agentsight_memory_bytes", "kind", "tables"]
    assert 70.0 == found["agentsight_stage_events_total", "stage", "tls"]


def test_what_is_not_known_is_not_there(scene: Scene) -> None:
    found = values(scene.get("/metrics")[1])
    names = {name for name, *_ in found}
    assert 1.0 == found["agentsight_calls_unpriced_total",]
    assert ("agentsight_cost_usd_total", "agent", "claude", "model", "qwen") not in found, "no price is known, which is not $0"
    assert ("agentsight_memory_bytes", "kind", "group") not in found
    optional = {"store_bytes", "store_limit_bytes", "memory_limit_bytes", "probes_proved_timestamp_seconds"}
    assert not {f"agentsight_{name}" for name in optional} & names
    given = {"store_bytes": 5, "store_limit": 6, "memory_limit": 7, "proved_s": 1.5e9}
    scene.figures = figures(**given)
    found = values(scene.get("/metrics")[1])
    assert list(given.values()) == [
        found[f"agentsight_{name}",]
        for name in ("store_bytes", "store_limit_bytes", "memory_limit_bytes", "probes_proved_timestamp_seconds")
    ]


def test_before_the_begin_nothing_is_said_but_that(scene: Scene) -> None:
    scene.figures = Figures(Totals(), Ledger(), begun=False, well=False)
    assert {("agentsight_up",): 0.0} == values(scene.get("/metrics")[1])


def test_each_request_has_the_figures_of_its_time(scene: Scene) -> None:
    scene.figures = figures(agents=5, rules="")
    found = values(scene.get("/metrics?x=1")[1])
    assert 5.0 == found["agentsight_agents",]
    assert not any(name.startswith("agentsight_rules") for name, *_ in found)


def test_openmetrics_is_served_to_who_asks_for_it(scene: Scene) -> None:
    status, text, kind = scene.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert (200, True, True) == (status, kind.startswith("application/openmetrics-text"), text.endswith("# EOF\n"))


def test_health_is_a_status(scene: Scene) -> None:
    assert (200, "ok\n") == scene.get("/healthz")[:2]
    scene.figures = figures(well=False)
    assert (503, "not well\n") == scene.get("/healthz")[:2]
    assert 0.0 == values(scene.get("/metrics")[1])["agentsight_up",]
    assert 404 == scene.get("/")[0]


@given(
    st.integers(0, 300),
    st.sets(st.text("abc/", min_size=1, max_size=6), max_size=300),
    st.dictionaries(st.text(max_size=5), st.floats(0, 1), max_size=40),
)
@example(10_000, set(), {})
@example(300, {f"stage {number}" for number in range(60)}, {f"queue {number}": 0.5 for number in range(9)})
def test_there_are_never_many_series_and_no_count_is_lost(many: int, stages: set[str], queues: dict[str, float]) -> None:
    ledger = Ledger()
    for stage in stages:
        meter = ledger.meter(stage)
        meter.seen = 1
        for reason in Reason:
            meter.lose(reason, 2)
    tally = Tally(Uses(lambda call: Decimal(call.total_tokens)))
    assert tally.uses is not None
    for number in range(many):
        counts = counts_of(Usage(number, 1, 2, 3))
        session = SessionRow(f"session-{number}", 1, agent=f"agent-{number}", pid=number)
        call = CallRow(f"llm-{number}", 1, status="complete", model=f"/models/{number}", agent=f"agent-{number}", **counts)
        tally.add([session, call])
        if number % 500 == 0:
            tally.uses.until(1)
    known = {"memory": Memory(1, 2, 3), "memory_limit": 4, "store_bytes": 5, "store_limit": 6, "proved_s": 7.0, "rules": "8"}
    figures = replace(Figures(tally.totals, ledger, tally.uses.until(1), queues=queues), **known)
    found = list(samples(figures, Shown()))
    assert sum(len(sample.values) for sample in found) <= SERIES_MOST
    counts = {sample.name: sum(value for _, value in sample.values) for sample in found}
    assert (many, many, 0) == (counts["sessions"], counts["calls"], counts["calls_open"])
    assert (6 * many + many * (many - 1) / 2,) * 2 == (counts["tokens"], counts["cost_usd"])
    unintended = sum(not reason.intended for reason in Reason)
    assert (len(stages), 2 * unintended * len(stages)) == (counts["stage_events"], counts["lost"])
    labels = {name for sample in found for labels, _ in sample.values for name in labels}
    assert labels <= {"model", "agent", "kind", "stage", "reason", "queue", "sha256", "result"}
    shown = {str(labels.get("model")) for sample in found for labels, _ in sample.values}
    assert not any("/" in model for model in shown), "no path"
    assert all(re.fullmatch("[a-z_]+", sample.name) for sample in found)


def test_tokens_and_cost_are_those_of_the_report() -> None:
    counts = counts_of(Usage(1000, 200, 30, 4))
    rows = [
        CallRow(f"llm-{number}", number, status="complete", model=model, agent="claude", provider="anthropic", **counts)
        for number, model in enumerate(["claude-sonnet-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "home-made"])
    ]
    rows.append(replace(rows[0], id="llm-9", twin="llm-0"))
    prices, store = load_prices(None), MemoryStore()
    store.commit([put(row) for row in rows])
    tally = Tally(Uses(lambda call: usd_of_call(call, prices)))
    tally.add(rows)
    assert tally.uses is not None
    found = {
        (sample.name, *labels.values()): value
        for sample in samples(Figures(tally.totals, Ledger(), tally.uses.until(100)), Shown())
        for labels, value in sample.values
    }
    groups = read_tokens(store, Selection(), prices)
    assert 3 == len(groups)
    for group in groups:
        assert group.calls == found["calls", group.group, "claude"]
        assert group.input_tokens == found["tokens", group.group, "claude", "input"]
        assert group.cache_read_tokens == found["tokens", group.group, "claude", "cache_read"]
        assert group.cost.usd == found.get(("cost_usd", group.group, "claude"))
    assert sum(group.cost.unknown_calls for group in groups) == found["calls_unpriced",] == 1


def test_a_counter_never_becomes_smaller() -> None:
    shown = Shown()

    def tools(count: int) -> float:
        return next(each for each in samples(figures(totals=Totals(tools=count)), shown) if each.name == "tools").values[0][1]

    assert [5, 5, 5, 6] == [tools(5), tools(3), tools(5), tools(6)]


def test_losses_that_came_first_keep_their_series() -> None:
    ledger, shown = Ledger(), Shown()
    for number in reversed(range(20)):
        ledger.meter(f"stage-{number:02}")
    before = dict[tuple[str, str], float]()
    for meter in ledger:
        meter.lose(Reason.BUG, 1)
        before = shown.losses(ledger.unintended())
    assert (11, 10) == (len(before), before["other", "bug"])
    next(iter(ledger)).lose(Reason.TRUNCATED, 1)
    after = shown.losses(ledger.unintended())
    assert {**before, ("other", "truncated"): 1} == after


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match=rf"^--metrics 127\.0\.0\.1:{port} cannot be served: Address already in use"):
            serve("127.0.0.1", port, figures)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("prometheus_client"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"agentsight-rx\[metrics\]"):
        serve("127.0.0.1", 0, figures)
