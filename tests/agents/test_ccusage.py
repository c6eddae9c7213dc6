"""The same session files, read by ccusage and imported by us: equal tokens and costs a day and a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.agents.install import INSTALLED
from tests.agents.session_history import write_history

NEEDS = ("ccusage",)
PROGRAM = INSTALLED / "ccusage/node_modules/@ccusage/ccusage-linux-x64/bin/ccusage"
SESSIONS = 60  # of each agent, one a day

Sums: TypeAlias = dict[str, tuple[float, ...]]  # input, output, written to a cache, read from it, and cost in cents


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("home")
    PROGRAM.chmod(0o755)  # npm leaves it to a script that is not run
    write_history(found, SESSIONS)
    _run(found, sys.executable, "-m", "agentsight_rx", "import")
    return found


def _run(home: Path, *command: str) -> str:
    env = {"HOME": str(home), "PATH": os.defpath, "TZ": "UTC", "PYTHONPATH": os.getcwd()}
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, text=True).stdout


def _theirs(home: Path, agent: str) -> tuple[Sums, Sums]:
    """By day, and by model without costs, which Codex has only by day."""
    names = ("inputTokens", "outputTokens", "cacheCreationTokens", "cacheReadTokens")
    days: Sums = {}
    models: Sums = {}
    flags = ("--breakdown",) if agent == "claude" else ()
    for day in json.loads(_run(home, str(PROGRAM), agent, "daily", "--json", "--offline", *flags))["daily"]:
        cost = day["totalCost"] if agent == "claude" else day["costUSD"]
        days[day["date"]] = *(day[name] for name in names), round(100 * cost, 2)
        parts: Any = day.get("modelBreakdowns") or [{**each, "modelName": name} for name, each in day["models"].items()]
        for each in parts:
            before = models.get(each["modelName"], (0,) * len(names))
            models[each["modelName"]] = tuple(sum + each[name] for sum, name in zip(before, names, strict=True))
    return days, models


def _ours(home: Path, agent: str) -> tuple[Sums, Sums]:
    def groups(by: str) -> dict[str, Any]:
        words = ("report", "tokens", "--json", "--agent", agent, "--group-by", by)
        lines = _run(home, sys.executable, "-m", "agentsight_rx", *words).splitlines()
        return {each["group"]: each for each in map(json.loads, lines)}

    names = ("input_tokens", "output_tokens", "cache_creation_tokens", "cache_read_tokens")
    days = {day: (*(each[name] for name in names), round(100 * each["cost"]["usd"], 2)) for day, each in groups("day").items()}
    return days, {model: tuple(each[name] for name in names) for model, each in groups("model").items()}


@pytest.mark.parametrize("who", ["claude", "codex"])
def test_totals_of_each_day_and_each_model_are_equal(home: Path, who: str) -> None:
    theirs, ours = _theirs(home, who), _ours(home, who)
    assert len(theirs[0]) == SESSIONS
    assert ours == theirs
