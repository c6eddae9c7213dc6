"""Rows -> the totals of a summary, without keeping the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ..core.bounded import Recent
from .rows import AuditRow, BlindSpotRow, CallRow, ProcessRow, TokenRow, ToolRow

__all__ = ["Tally"]

V = TypeVar("V")

_MOST = 100_000  # ids that are remembered, so that a row that comes again counts once


_BLIND_SPOTS_MOST = 1000


class Tally:
    """Counts by id: a later row of the same id replaces what the earlier one added."""

    def __init__(self) -> None:
        self._calls: Recent[str, str] = Recent(_MOST)
        self._tokens: Recent[str, TokenRow] = Recent(_MOST)
        self._tools: Recent[str, bool] = Recent(_MOST)
        self._programs: Recent[str, str] = Recent(_MOST)
        self.calls = 0
        self.calls_incomplete = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cached_tokens = 0
        self.tools = 0
        self.tools_linked = 0
        self.processes = 0
        self.programs = 0
        self.models: dict[str, int] = {}
        self.blind_spots: Recent[str, BlindSpotRow] = Recent(_BLIND_SPOTS_MOST)
        self.audits: dict[str, int] = {}  # by type: llm, process, file, network, mcp

    def add(self, items: Iterable[object]) -> None:
        """Add the rows among `items`; the rest is skipped."""
        for item in items:
            match item:
                case CallRow():
                    self._call(item)
                case TokenRow():
                    self._token(item)
                case ToolRow():
                    self._tool(item)
                case ProcessRow():
                    self._process(item)
                case AuditRow():
                    self.audits[item.audit_type] = self.audits.get(item.audit_type, 0) + 1
                case BlindSpotRow():
                    self.blind_spots.put(item.id, item)
                case _:
                    pass

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cached_tokens

    def _call(self, row: CallRow) -> None:
        if row.twin is not None:
            return
        before = self._calls.get(row.id)
        if before is None:
            self.calls += 1
        else:
            self.calls_incomplete -= before in ("partial", "aborted", "pending")
        self.calls_incomplete += row.status in ("partial", "aborted", "pending")
        self._calls.put(row.id, row.status)
        if before in (None, "pending") and row.status != "pending":
            model = row.model or "unknown"
            self.models[model] = self.models.get(model, 0) + 1

    def _token(self, row: TokenRow) -> None:
        before = self._tokens.get(row.id)
        for sign, each in ((1, row), (-1, before)):
            if each is not None:
                self.input_tokens += sign * each.input_tokens
                self.output_tokens += sign * each.output_tokens
                self.cached_tokens += sign * (each.cache_creation_tokens + each.cache_read_tokens)
        self._tokens.put(row.id, row)

    def _tool(self, row: ToolRow) -> None:
        before = self._tools.get(row.id)
        linked = row.related_pid is not None
        self.tools += before is None
        self.tools_linked += linked - bool(before)
        self._tools.put(row.id, linked)

    def _process(self, row: ProcessRow) -> None:
        before = self._programs.get(row.id)
        self.processes += before is None
        program = row.command or ""
        self.programs += bool(program) and not before
        self._programs.put(row.id, program)
