"""frontend/src/shapes.ts -> the fields that the page expects of each answer: those of the Struct that is sent, no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from agentsight_rx.runtime.importing import HowFar
from agentsight_rx.runtime.recording.search_base import Hit
from agentsight_rx.runtime.web.importing import FilesOf, Import
from agentsight_rx.runtime.web.search import Found
from agentsight_rx.store.rows.kinds import UnknownRow
from agentsight_rx.view.page.alert_shapes import (
    AlertColumns,
    AlertLine,
    AlertList,
    AlertMark,
    AlertPart,
    AlertProof,
    AlertWhole,
    Halt,
    Mark,
    Program,
    Prompt,
    SubAgent,
    Text,
    ToolCard,
    TurnCard,
    Turns,
)
from agentsight_rx.view.page.bodies import Body, CallBody, DiffBody, DiffLine, Said
from agentsight_rx.view.page.context.context import (
    ContextBlock,
    ContextFinding,
    ContextNote,
    ContextOverTime,
    ContextRow,
    ContextServer,
    ContextSum,
    ContextThread,
    ContextTurn,
)
from agentsight_rx.view.page.counts import Read, Wholeness
from agentsight_rx.view.page.event_log import Line, Lines
from agentsight_rx.view.page.funnel import HealthPage, Missing, Stage
from agentsight_rx.view.page.head import Head, Numbers, Step, Strip
from agentsight_rx.view.page.lanes import Curve, Lane, Lanes
from agentsight_rx.view.page.machine import Days, Dear, Machine, RecorderLine
from agentsight_rx.view.page.signals import Signal
from agentsight_rx.view.page.tables import Table
from agentsight_rx.view.page.words import FileChange, FileLine, FileStory, Gap, HostLine, HttpLine, McpLine, ProcessLine
from agentsight_rx.view.queries.calls.costs import CostSum
from agentsight_rx.view.queries.calls.diff import Changed
from agentsight_rx.view.queries.calls.raw import RawBody, RawCall
from agentsight_rx.view.queries.sessions.failures import Answered, Failure, Failures
from agentsight_rx.view.queries.sessions.latency import Latency, Slow, Spread
from agentsight_rx.view.queries.sessions.listing import ListRow, Sums
from agentsight_rx.view.queries.sessions.side_by_side import Compared, OnlyOne, SideOf
from agentsight_rx.view.queries.sessions.side_by_side import Step as OneStep
from agentsight_rx.view.queries.sessions.verdict import Clause

PAGE = (Path(__file__).parents[3] / "frontend" / "src" / "shapes.ts").read_text()

_OTHER_NAMES: dict[type[Struct], str] = {
    CostSum: "Cost",
    Wholeness: "Whole",
    Line: "LogLine",
    Lines: "LogPage",
    Table: "Rows",
    OneStep: "StepOf",
}
_ANSWERS: tuple[type[Struct], ...] = (
    AlertColumns, AlertLine, AlertList, AlertMark, AlertPart, AlertProof, AlertWhole, Answered, Failure, Failures,
    Days, Dear, Latency, RawBody, RawCall, Slow, Spread, Halt, Machine, RecorderLine,
    Body, CallBody, Clause, ContextBlock, ContextFinding, ContextNote, ContextOverTime, ContextRow, ContextServer, ContextSum,
    ContextThread, ContextTurn, CostSum, DiffBody, DiffLine, FileChange, FileLine, FileStory,
    Found, Gap, Head, HealthPage, Hit, HostLine, HttpLine,
    Lane, Lanes, Line, Lines, ListRow, McpLine, Missing, Numbers, ProcessLine, Program, Prompt, Read, Signal, Stage, Step,
    Compared, FilesOf, HowFar, Import, OneStep, OnlyOne, SideOf,
    Strip, SubAgent, Sums, Table, Text, ToolCard, TurnCard, Turns, Wholeness,
)  # fmt: skip
_WITHIN: dict[type[Struct], tuple[str, str]] = {  # those without a name: in a field of another
    Curve: ("Lanes", "curve"),
    Mark: ("ToolCard", "files"),
    Changed: ("DiffBody", "parameters"),
    Said: ("CallBody", "messages"),
    UnknownRow: ("HealthPage", "unknown"),
}


def _expected(text: str) -> dict[str, bool]:
    """Each field between these braces, and whether it may be absent; what is in further braces is no field of theirs."""
    while re.search(r"\{[^{}]*\}", text[1:-1]):
        text = text[0] + re.sub(r"\{[^{}]*\}", "…", text[1:-1]) + text[-1]
    return {name: bool(may) for name, may in re.findall(r"[{;]\s*(\w+)(\??):", text)}


def _interface(name: str) -> str:
    found = re.search(rf"^export interface {name}(?:<\w+>)? ", PAGE, re.MULTILINE)
    assert found, f"shapes.ts has no interface {name}"
    return _braces(found.end())


def _braces(start: int) -> str:
    depth = 0
    for end in range(start, len(PAGE)):
        depth += {"{": 1, "}": -1}.get(PAGE[end], 0)
        if not depth:
            return PAGE[start : end + 1]
    raise AssertionError("shapes.ts ends within braces")


def _sent(struct: type[Struct]) -> dict[str, bool]:
    """Each field, and whether it may be absent: with its default where the Struct leaves defaults out."""
    omits = struct.__struct_config__.omit_defaults
    return {field.encode_name: omits and _has_default(field) for field in fields(struct)}


def _has_default(field: FieldInfo) -> bool:
    return field.default is not NODEFAULT or field.default_factory is not NODEFAULT


@pytest.mark.parametrize("struct", _ANSWERS, ids=lambda struct: struct.__name__)
def test_the_page_expects_what_is_sent(struct: type[Struct]) -> None:
    assert _expected(_interface(_OTHER_NAMES.get(struct, struct.__name__))) == _sent(struct)


@pytest.mark.parametrize("struct", _WITHIN, ids=lambda struct: struct.__name__)
def test_what_has_no_name_of_its_own_is_as_it_is_sent(struct: type[Struct]) -> None:
    outer, field = _WITHIN[struct]
    found = re.search(rf"\b{field}\??: ", _interface(outer))
    assert found
    inner = _interface(outer)[found.end() :]
    assert _expected(inner[: inner.index("}") + 1]) == _sent(struct)
