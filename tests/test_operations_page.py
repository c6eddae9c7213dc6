"""The page about operations, the dashboard and the alert rules name the figures that a recorder has, and no other."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.runtime.service.bounds import Memory
from agentsight_rx.runtime.service.metrics import Figures, Shown, samples
from agentsight_rx.store.rows.tally import Totals
from agentsight_rx.store.rows.uses import Use

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text()
RULES = (ROOT / "docs" / "prometheus" / "rules.yml").read_text()
DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs" / "prometheus" / "dashboard.json").read_text())
NAME = re.compile(r"\bagentsight_[a-z_]+")


def served() -> dict[str, set[str]]:
    """The names of all figures, each with its labels."""
    ledger = Ledger()
    ledger.meter("tls").lose(Reason.BUG, 1)
    figures = Figures(
        Totals(),
        ledger,
        {("m", "a"): Use(1, usd=Decimal(1), priced=1)},
        queues={"engine": 0.0},
        memory=Memory(1, 2, 3),
        memory_limit=4,
        store_bytes=5,
        store_limit=6,
        rules="7",
        agents_file="9",
        proved_s=8.0,
    )
    return {
        f"agentsight_{sample.name}{'_total' if sample.kind == 'counter' else ''}": {*sample.values[0][0]}
        for sample in samples(figures, Shown())
    }


def test_the_page_lists_every_figure_with_its_labels() -> None:
    table = PAGE[PAGE.index("| name | kind | what |") : PAGE.index("They count since the start")]
    listed: dict[str, set[str]] = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            for found in re.finditer(r"`(agentsight_[a-z_]+)(?:\{([a-z0-9,]+)\})?`", line.split("|")[1]):
                listed[str(found[1])] = {label for label in str(found[2] or "").split(",") if label}
    assert served() == listed


def test_the_dashboard_shows_every_figure_and_no_other() -> None:
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    assert served().keys() == {name for query in queries for name in NAME.findall(query)}
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert len(titles) == len(set(titles)) == len({panel["id"] for panel in DASHBOARD["panels"]})


def test_its_panels_do_not_overlap() -> None:
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24


def test_the_rules_ask_for_figures_that_there_are_and_the_page_lists_each() -> None:
    asked = {name for line in RULES.splitlines() if "expr:" in line for name in NAME.findall(line)}
    assert asked
    assert asked <= served().keys()
    alerts = re.findall(r"- alert: (\w+)", RULES)
    assert alerts == re.findall(r"^\| `(Agentsight\w+)` \|", PAGE, re.MULTILINE)
    tests = (ROOT / "tests" / "prometheus" / "rules_test.yml").read_text()
    assert set(alerts) == set(re.findall(r"alertname: (\w+)", tests)), "each is tested"


def test_prometheus_is_fetched_by_its_flag_alone() -> None:
    text = (ROOT / "test.sh").read_text()
    assert 1 == text.count("scripts/prometheus.sh")
    assert text.index("== --prometheus") < text.index("scripts/prometheus.sh") < text.index("== --agents")
