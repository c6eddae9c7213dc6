"""Session files of agents: any JSON in any field is read, and any cut of the bytes gives the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.view.transcripts import Transcript
from tests.sources.session_files.test_source import PLACES, imported, rows_in, write
from tests.view.transcripts.other_samples import OTHERS
from tests.view.transcripts.reading import KINDS, NAMES, Kind, read
from tests.view.transcripts.samples import CLAUDE, CODEX, GEMINI_LINES

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


IN_HOMES = {
    "claude": (".claude/projects/-work/1a2b.jsonl", CLAUDE),
    "codex": (".codex/sessions/rollout-1.jsonl", CODEX),
    "gemini": (".gemini/tmp/a94a/chats/session-2.jsonl", GEMINI_LINES),
    **{agent: (f"{PLACES[agent]}/{path}", said) for (agent, path), said in OTHERS.items() if path.endswith(".jsonl")},
}


@pytest.mark.parametrize("agent", IN_HOMES)
@settings(max_examples=10)
@given(data=st.data())
def test_a_file_that_is_imported_in_pieces_gives_the_rows_of_the_whole(agent: str, data: st.DataObject) -> None:
    inside, content = IN_HOMES[agent]
    cuts = sorted(data.draw(st.lists(st.integers(1, len(content)), max_size=4)))
    with TemporaryDirectory() as folder:
        home = Path(folder)
        write(home, inside, content)
        imported(home, home / "whole.lmdb")
        for end in (*cuts, len(content)):
            write(home, inside, content[:end])
            imported(home, home / "pieces.lmdb")
        assert rows_in(home / "whole.lmdb") == rows_in(home / "pieces.lmdb")
