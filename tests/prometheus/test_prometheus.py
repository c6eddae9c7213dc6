"""A real Prometheus reads the figures of a recorder, and answers with the numbers of the report."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.cli.watch.heartbeat import Beat, Kept, Reloading
from agentsight_rx.core.stream import of
from agentsight_rx.events.loss import Reason
from agentsight_rx.events.tokens import Usage
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.runtime.recording.guard_file import LoadedRules
from agentsight_rx.runtime.recording.price_file import load_prices
from agentsight_rx.runtime.run import Run
from agentsight_rx.runtime.service.bounds import Limits
from agentsight_rx.runtime.service.metrics import Served, serve
from agentsight_rx.sources import Roots
from agentsight_rx.store.rows.kind import ROW_TABLES
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.store.rows.uses import Uses
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.calls.costs import usd_of_call
from agentsight_rx.view.queries.calls.tokens import TokenGroup, read_tokens
from agentsight_rx.view.queries.reading import rows_of
from agentsight_rx.view.queries.selection import Selection
from tests.live.capture import until
from tests.prometheus.server import RULES, Prometheus, prometheus, promtool
from tests.view.page.story import parcel, recorded

pytestmark = pytest.mark.prometheus

DASHBOARD = RULES.parent / "dashboard.json"
LIMIT = 1 << 40


class Scene:
    """A recording, a recorder that has its rows, and a Prometheus that reads the recorder's figures."""

    def __init__(self, store: Path, run: Run, served: Served, server: Prometheus) -> None:
        opened = LmdbStore.open(store, readonly=True)
        try:
            self.groups: list[TokenGroup] = read_tokens(opened, Selection(), load_prices(None))
        finally:
            opened.close()
        self.run = run
        self.served = served
        self.server = server


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Generator[Scene]:
    store = recorded(tmp_path_factory.mktemp("store") / "parcel.lmdb", parcel())
    opened = LmdbStore.open(store, readonly=True)
    rows: list[Any] = [row for table in ROW_TABLES for row in rows_of(opened, table)]
    opened.close()
    prices = load_prices(None)
    tally = Tally(Uses(lambda call: usd_of_call(call, prices)))
    rules = built_in_rules()
    loaded = LoadedRules(lambda: rules, "guard.toml", rules, lambda _: None)
    beat = Beat(Roots(), Limits(LIMIT), reloading=Reloading(loaded, str))
    with Run(of(rows), tally=tally) as run:
        run.wait()
        beat(run)
        run.ledger.meter("tls").lose(Reason.KERNEL_LOST, 41)
        served = serve("127.0.0.1", 0, partial(beat.figures, Kept(store, LIMIT)))
        try:
            with prometheus(tmp_path_factory.mktemp("prometheus"), served.address[1]) as server:
                until(lambda: server.value("agentsight_up") == 1.0)
                yield Scene(store, run, served, server)
        finally:
            served.close()


def test_its_answers_are_the_numbers_of_the_report(scene: Scene) -> None:
    ask = scene.server.value
    assert scene.groups
    for group in scene.groups:
        of_model = f'{{model="{group.group}"}}'
        assert group.calls == ask(f"sum(agentsight_calls_total{of_model})")
        assert group.input_tokens == ask(f'sum(agentsight_tokens_total{{model="{group.group}",kind="input"}})')
        assert group.cost.usd == pytest.approx(ask(f"sum(agentsight_cost_usd_total{of_model})"))
    usage = sum((group.usage for group in scene.groups), Usage())
    assert (usage.total, 0.0) == (ask("sum(agentsight_tokens_total)"), ask("agentsight_calls_unpriced_total"))


def test_it_has_what_else_the_recorder_says(scene: Scene) -> None:
    ask, totals = scene.server.value, scene.run.tally.totals
    assert (totals.tools, totals.sessions) == (ask("agentsight_tools_total"), ask("agentsight_sessions_total"))
    assert [({"stage": "tls", "reason": "kernel_lost"}, 41.0)] == scene.server.ask("agentsight_lost_total")
    assert [({"sha256": built_in_rules().sha256}, 1.0)] == scene.server.ask("agentsight_rules_info")
    assert LIMIT == ask("agentsight_memory_limit_bytes") == ask("agentsight_store_limit_bytes")
    taken = ask('agentsight_memory_bytes{kind="anonymous"}')
    assert taken is not None
    assert taken > 1 << 20
    assert ask("agentsight_probes_proved_timestamp_seconds") is None


def test_its_rules_are_loaded_and_the_loss_is_told(scene: Scene) -> None:
    def firing() -> set[str]:
        return {each["labels"]["alertname"] for each in scene.server.get("alerts")["alerts"] if each["state"] == "firing"}

    expected = {"AgentsightLoses", "AgentsightBlind"}  # the recording has a program that could not be read
    until(lambda: expected <= firing())
    assert expected == firing()


def test_it_understands_every_query_of_the_dashboard(scene: Scene) -> None:
    queries = [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    assert queries
    for query in queries:
        scene.server.get("query", query=query.replace("$instance", ".*"))
    known = ("agentsight_up", "agentsight_agents", "agentsight_cost_usd_total")
    assert all(scene.server.ask(f'{name}{{instance=~".*"}}') for name in known)


def test_names_and_types_are_as_its_convention_wants(scene: Scene) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{scene.served.address[1]}/metrics") as answer:
        promtool("check", "metrics", text=answer.read().decode())


def test_each_rule_is_well_formed_and_comes_when_it_should() -> None:
    promtool("check", "rules", "--lint-fatal", str(RULES))
    promtool("test", "rules", str(Path(__file__).with_name("rules_test.yml")))
