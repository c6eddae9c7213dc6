"""
The types of the snapshot -> docs/snapshot.schema.json:

    python -m agentsight_rx.cli.program.snapshot_schema > docs/snapshot.schema.json
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...view import AlertRow, AnyRow, AuditRow, CallRow, NetworkRow, ProcessRow, ResourceRow, ToolRow
from ...view.snapshot.schema import Snapshot

_ROWS: dict[str, type[AnyRow]] = {
    "network_targets": NetworkRow,
    "process_nodes": ProcessRow,
    "audit_events": AuditRow,
    "resource_samples": ResourceRow,
    "tool_calls": ToolRow,
    "llm_calls": CallRow,
    "alerts": AlertRow,
}
_ANY = {"description": "any JSON value"}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what `report export --format snapshot` and /api/v1/snapshot give."""
    (_, *refs), parts = msgspec.json.schema_components(
        [Snapshot, *_ROWS.values()], ref_template="#/$defs/{name}", schema_hook=lambda _: dict(_ANY)
    )
    for kind in _ROWS.values():
        _as_in_a_snapshot(parts[kind.__name__])
    tool = parts[ToolRow.__name__]["properties"]
    tool["input"] = {"description": "a JSON value where the text is JSON, else the text"}
    tool["output"] = {"type": ["string", "null"]}
    whole = parts.pop(Snapshot.__name__)
    for name, ref in zip(_ROWS, refs, strict=True):
        whole["properties"][name]["items"] = ref
    for part in (whole, *parts.values()):
        if "properties" in part:
            part["required"] = list(part["properties"])
            _without_defaults(part["properties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "$defs": dict(sorted(parts.items()))}


def _as_in_a_snapshot(row: dict[str, Any]) -> None:
    """A row there has no tag: the list that it is in says its kind."""
    del row["properties"]["type"]


def _without_defaults(properties: dict[str, Any]) -> None:
    """No field is ever left out, so a default would say nothing."""
    for each in properties.values():
        each.pop("default", None)


def schema_text() -> str:
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
