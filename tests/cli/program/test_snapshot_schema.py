"""docs/snapshot.schema.json says what a snapshot is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from agentsight_rx.cli.program.snapshot_schema import schema, schema_text
from agentsight_rx.view import RowGone
from agentsight_rx.view.snapshot.schema import Completeness
from agentsight_rx.view.snapshot.snapshot import View
from tests.samples import OUTPUTS

PAGE = Path(__file__).parents[3] / "docs" / "snapshot.schema.json"


def snapshot(*items: Any) -> Any:
    view = View()
    view.add(items)
    whole = view.snapshot(Completeness(complete=True, entries=()), now_ms=0)
    return msgspec.json.decode(msgspec.json.encode(whole))


def check(value: object) -> None:
    validator: Any = jsonschema.Draft202012Validator(schema())
    validator.validate(value)


def test_the_page_is_what_the_types_say() -> None:
    assert PAGE.read_text() == schema_text()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_snapshots_fit_it() -> None:
    check(snapshot())
    check(snapshot(*OUTPUTS))


@pytest.mark.parametrize("name", ["schema_version", "summary", "tool_calls", "completeness"])
def test_a_field_that_is_left_out_does_not_fit(name: str) -> None:
    value = snapshot(*OUTPUTS)
    del value[name]
    with pytest.raises(jsonschema.ValidationError, match=name):
        check(value)


@pytest.mark.parametrize(
    "name", ["network_targets", "process_nodes", "audit_events", "resource_samples", "tool_calls", "llm_calls"]
)
def test_every_kind_of_row_is_checked(name: str) -> None:
    value = snapshot(*(each for each in OUTPUTS if not isinstance(each, RowGone)))
    assert len(value[name]) == 1
    value[name][0]["id"] = 7
    with pytest.raises(jsonschema.ValidationError):
        check(value)


def test_what_is_unknown_is_null_and_what_is_new_is_allowed() -> None:
    value = snapshot(*OUTPUTS)
    value["tool_calls"][0]["output"] = None
    value["tool_calls"][0]["input"] = {"any": ["thing"]}
    value["tool_calls"][0]["added_later"] = 1
    check(value)
