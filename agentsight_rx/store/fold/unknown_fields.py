"""The fields that could not be read -> UnknownRow, one a provider and field."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ...core.bounded import Recent
from ..rows.kinds import CallRow, Row, UnknownRow

__all__ = ["UnknownFields"]

_MOST = 1024  # the names are those of our own types, but an array of arrays makes more of them


class UnknownFields:
    """How often each field could not be read."""

    def __init__(self) -> None:
        self._rows: Recent[str, UnknownRow] = Recent(_MOST)

    def note(self, call: CallRow, fields: Iterable[str]) -> list[Row]:
        rows: list[Row] = []
        time_ms = call.end_timestamp_ms or call.start_timestamp_ms
        for field in fields:
            provider = call.call_kind or "unknown"
            key = f"unknown-{provider}-{field}"
            known = self._rows.get(key) or UnknownRow(
                key, time_ms, provider=provider, field=field, count=0, first_call_id=call.id
            )
            row = replace(known, count=known.count + 1, timestamp_ms=time_ms)
            self._rows.put(key, row)
            rows.append(row)
        return rows

    def get(self, id: str) -> UnknownRow | None:
        return self._rows.get(id)

    def snapshot(self) -> list[UnknownRow]:
        return list(self._rows.values())

    def restore(self, state: list[UnknownRow]) -> None:
        self._rows.clear()
        self._rows.update({row.id: row for row in state})
