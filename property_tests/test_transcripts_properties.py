"""Session files of agents: any JSON in any field is read, and any cut of the bytes gives the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.view.transcripts import Transcript
from tests.view.transcripts.reading import KINDS, NAMES, Kind, read

ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
EVERY = pytest.mark.parametrize(("parser", "content"), KINDS, ids=NAMES)


def places(value: object) -> list[tuple[Any, Any]]:
    """(container, key) of every value inside."""
    if not isinstance(value, dict | list):
        return []
    inside = cast("Mapping[Any, Any]", value) if isinstance(value, dict) else dict(enumerate(cast("Sequence[Any]", value)))
    return [place for key, each in inside.items() for place in [(cast("Any", value), key), *places(each)]]


def documents(content: bytes) -> list[Any]:
    try:
        return [json.loads(content)]
    except ValueError:
        return [json.loads(line) for line in content.splitlines()]


@EVERY
@given(data=st.data())
def test_any_value_in_any_field_is_read(parser: Kind, content: bytes, data: st.DataObject) -> None:
    values = documents(content)
    for _ in range(data.draw(st.integers(1, 4))):
        found = places(values)
        if not found:
            break
        container, key = data.draw(st.sampled_from(range(len(found))).map(found.__getitem__))
        container[key] = data.draw(ANY)
    changed = "\n".join(json.dumps(value) for value in values).encode()
    transcript = read(parser, changed)
    assert isinstance(transcript, Transcript)
    assert all(usage.total >= 0 for usage in transcript.totals.values())


@EVERY
@given(data=st.data())
def test_any_bytes_are_read(parser: Kind, content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(content)))
    noise = data.draw(st.binary(max_size=40))
    broken = content[:at] + noise + content[at + data.draw(st.integers(0, 200)) :]
    middle = data.draw(st.integers(0, len(broken)))
    assert read(parser, broken) == read(parser, [broken[:middle], broken[middle:]])
