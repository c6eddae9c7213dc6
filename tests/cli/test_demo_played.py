"""The recording that comes with the program: what a person sees where nothing can be recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsight_rx.cli.demo import played
from agentsight_rx.cli.flags.destinations import Page


def test_it_ends_with_a_report_and_where_its_page_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == played(tmp_path / "demo.lmdb", Page(), as_json=False)
    shown = capsys.readouterr()
    assert "Edited 3 files, ran 10 commands, 1 failed." in shown.out
    assert "nothing is missing" in shown.out
    assert f"serve {tmp_path / 'demo.lmdb'}" in shown.err


def test_as_json_it_is_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == played(tmp_path / "demo.lmdb", Page(), as_json=True)
    assert 11 == json.loads(capsys.readouterr().out)["calls"]


def test_the_recording_names_no_place_of_another_machine() -> None:
    text = (Path(__file__).parents[2] / "agentsight_rx" / "runtime" / "demo" / "recorded.jsonl").read_text()
    assert not any(place in text for place in ("/root", "/work"))
