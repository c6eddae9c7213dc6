"""The figures of a recorder, as Prometheus reads them over HTTP."""

from __future__ import annotations

import builtins
import http.client
import re
import socket
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from agentsight_rx.errors import SinkError, UsageError
from agentsight_rx.loss import Ledger, Reason
from agentsight_rx.service.metrics import Figures, Served, samples, serve
from agentsight_rx.view.rows.tally import Totals

SERIES_MOST = 200


def figures(**more: Any) -> Figures:
    ledger = Ledger()
    meter = ledger.meter("tls")
    meter.seen = 70
    meter.lose(Reason.KERNEL_LOST, 3)
    meter.lose(Reason.FILTERED, 5)
    ledger.meter("to store").lose(Reason.KERNEL_LOST, 4)
    totals = Totals(calls=7, input_tokens=11, cached_tokens=5, output_tokens=2, models={"claude-sonnet-4": 7})
    return replace(Figures(totals, ledger, agents=2, table_bytes=99, rules="4c1e"), **more)


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
def scene() -> Generator[Scene]:
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
    assert 7.0 == found["agentsight_calls_total",] == found["agentsight_model_calls_total", "model", "claude-sonnet-4"]
    assert 7.0 == found["agentsight_lost_total", "reason", "kernel_lost"], "of all stages"
    assert ("agentsight_lost_total", "reason", "filtered") not in found, "which is no loss"
    assert (11.0, 99.0) == (
        found["agentsight_tokens_total", "kind", "input"],
        found["agentsight_memory_bytes", "kind", "tables"],
    )
    assert (2.0, 1.0) == (found["agentsight_agents",], found["agentsight_rules_info", "sha256", "4c1e"])
    assert 70.0 == found["agentsight_stage_events_total", "stage", "tls"]


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
    st.dictionaries(st.text(max_size=5), st.integers(1, 9), max_size=300),
    st.sets(st.text("abc/", min_size=1, max_size=6), max_size=300),
)
def test_there_are_never_many_series_and_no_count_is_lost(models: dict[str, int], stages: set[str]) -> None:
    ledger = Ledger()
    for stage in stages:
        meter = ledger.meter(stage)
        meter.seen = 1
        for reason in Reason:
            meter.lose(reason, 1)
    found = list(samples(Figures(Totals(models=models), ledger)))
    assert sum(len(sample.values) for sample in found) <= SERIES_MOST
    counts = {sample.name: sum(value for _, value in sample.values) for sample in found}
    assert (sum(models.values()), len(stages)) == (counts["model_calls"], counts["stage_events"])
    labels = {name for sample in found for labels, _ in sample.values for name in labels}
    assert labels <= {"model", "kind", "stage", "reason", "result", "sha256"}, "nothing names a process, a path or a session"
    assert all(re.fullmatch("[a-z_]+", sample.name) for sample in found)


def test_what_is_rare_is_one_series() -> None:
    models = {f"model-{number:02}": 100 - number for number in range(25)} | {"other": 1}
    (family,) = [each for each in samples(Figures(Totals(models=models), Ledger())) if each.name == "model_calls"]
    rare = sum(models[f"model-{number:02}"] for number in range(20, 25)) + 1
    assert (21, ({"model": "other"}, rare)) == (len(family.values), family.values[-1])


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
