"""Ordinary traffic passes unchanged, wherever it is sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import agentsight_rx
from agentsight_rx.graphs import TraceOptions
from agentsight_rx.policy.redaction.redactor import Redactor
from tests.secrets.matrix import lines_of
from tests.secrets.ordinary import ORDINARY
from tests.secrets.places import PLACES, Captured, is_raw


# Of raw records that cut a text, what may become a secret in the next one is overwritten: nothing is held back
@pytest.mark.parametrize("place", [*(place for place in PLACES if not is_raw(place)), "raw: unknown protocol", "raw: prompt"])
def test_ordinary_texts_are_unchanged_at_this_place(place: str, tmp_path: Path) -> None:
    captured = Captured()
    for number, text in enumerate(ORDINARY.values()):
        captured += PLACES[place](number, text) or Captured()
    options = [TraceOptions(raw=is_raw(place), remove_auth=removes) for removes in (False, True)]
    before, after = (lines_of(captured, each, tmp_path / str(each.remove_auth)) for each in options)
    pairs = zip(map(_without_time, before), map(_without_time, after), strict=True)
    assert [pair for pair in pairs if pair[0] != pair[1] and _OPENS_WEBSOCKET not in pair[0]] == []


def _without_time(line: bytes) -> bytes:
    return _TIME_OF_DAY.sub(b"", line)


_TIME_OF_DAY = re.compile(rb'"(?:timestamp|time_unix_ns)":\d+')
_OPENS_WEBSOCKET = b'"authorization":"Bearer k"'


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_text_is_unchanged_whether_it_may_continue_or_not(name: str) -> None:
    text, redactor = ORDINARY[name], Redactor(bytes(32))
    assert redactor.text(text) == text
    assert redactor.text(f"{text} and {'so on ' * 400}") == f"{text} and {'so on ' * 400}"


def test_the_code_of_this_program_is_unchanged() -> None:
    redactor = Redactor(bytes(32))
    files = sorted(Path(agentsight_rx.__file__).parent.rglob("*.py"))
    changed = [file.name for file in files if redactor.data(file.read_bytes()) != file.read_bytes()]
    assert changed == []
