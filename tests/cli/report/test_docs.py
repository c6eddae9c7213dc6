"""docs/report.md has every report, its columns and the keys of its JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from agentsight_rx.cli import app
from agentsight_rx.cli.report import calls, context, files, find, lists, mcp, recordings, tokens, tools, transcripts
from agentsight_rx.cli.report.recordings import Recorded
from agentsight_rx.cli.report.shown.ask import Compacted
from agentsight_rx.cli.report.shown.screen import Columns
from agentsight_rx.cli.report.summary import COLUMNS as SUMMARY
from agentsight_rx.view import AlertRow, AuditRow, ToolRow
from agentsight_rx.view.queries.calls.call import WholeCall
from agentsight_rx.view.queries.calls.costs import PricedCall
from agentsight_rx.view.queries.calls.mcp import McpRequest
from agentsight_rx.view.queries.calls.tokens import TokenGroup
from agentsight_rx.view.queries.context.report import CacheLoss, ContextReport
from agentsight_rx.view.queries.effects.files import FileUse
from agentsight_rx.view.queries.effects.network import Host, Peer, Unread
from agentsight_rx.view.queries.effects.work import Process
from agentsight_rx.view.queries.records import Exchange
from agentsight_rx.view.queries.sessions.compare import SessionComparison
from agentsight_rx.view.queries.sessions.diff import Difference
from agentsight_rx.view.queries.sessions.files import SessionFile
from agentsight_rx.view.queries.sessions.health import Health
from agentsight_rx.view.queries.sessions.summary import Summary
from agentsight_rx.view.queries.sessions.timeline import Moment, PromptLine

PAGE = (Path(__file__).parents[3] / "docs" / "report.md").read_text()
PROGRAM: Any = typer.main.get_command(app)

# What each report answers: its values
ANSWERS: dict[str, Any] = {
    "summary": Summary,
    "calls": PricedCall,
    "call": WholeCall,
    "prompts": PromptLine,
    "find": find.FoundText,
    "tools": ToolRow,
    "files": FileUse,
    "mcp": McpRequest,
    "processes": Process,
    "http": Exchange,
    "timeline": Moment,
    "audit": AuditRow,
    "alerts": AlertRow,
    "sessions": lists.SessionLine,
    "tokens": TokenGroup,
    "context": ContextReport,
    "cache": CacheLoss,
    "transcripts": SessionFile,
    "compare": SessionComparison,
    "health": Health,
    "diff": Difference,
    "list": Recorded,
    "compact": Compacted,
}
COLUMNS: dict[str, Columns[Any]] = {
    "summary": SUMMARY,
    "calls": calls.columns_of(one_model=False, wide=True),
    "prompts": lists.prompts_columns_of(0),
    "tools": tools.TOOLS_COLUMNS,
    "files": files.columns_of(""),
    "mcp": mcp.COLUMNS,
    "processes": tools.COLUMNS,
    "http": lists.HTTP_COLUMNS,
    "audit": lists.COLUMNS,
    "sessions": lists.sessions_columns_of(0),
    "tokens": tokens.columns_of("model"),
    "context": context.SEGMENTS,
    "cache": tokens.COLUMNS,
    "transcripts": transcripts.columns_of(0),
    "list": recordings.columns_of(0),
}


def section(name: str) -> str:
    return PAGE.partition(f"\n## report {name}\n")[2].partition("\n## ")[0]


def named(name: str, title: str) -> list[str]:
    """The names in a paragraph that begins with a title."""
    found = re.search(rf"{title}: ((?:`[^`]+`(?:,\s)?)+)", section(name))
    return re.findall("`([^`]+)`", found[1]) if found else []


def test_every_report_is_described_and_no_other() -> None:
    reports = list(PROGRAM.commands["report"].commands)
    assert re.findall(r"^## report (\S+)$", PAGE, re.MULTILINE) == reports
    assert {*ANSWERS, "network", "export"} == set(reports)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_keys_are_those_of_the_values(name: str) -> None:
    assert named(name, "Keys") == list(ANSWERS[name].__struct_fields__)


@pytest.mark.parametrize(("kind", "value"), [("peer", Peer), ("host", Host), ("unread", Unread)])
def test_the_keys_of_the_network_are_those_of_its_values(kind: str, value: Any) -> None:
    assert named("network", f"Keys of an? `{kind}`") == ["kind", *value.__struct_fields__]


@pytest.mark.parametrize("name", COLUMNS)
def test_the_columns_are_those_that_are_shown(name: str) -> None:
    assert named(name, "Columns") == [column.title for column in COLUMNS[name]]
