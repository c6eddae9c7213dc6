"""report compact."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.cli.guarding import ran, stay_in
from tests.guarded import leaking, stored


def test_it_says_how_large_the_file_was_and_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_in(tmp_path, monkeypatch)
    store = stored(tmp_path / "run.lmdb", leaking().events)
    (line,) = ran("report", "compact", "--db", str(store), "--text")
    assert line.startswith(f"{store}: ")
    assert line.endswith(" now")
    (value,) = map(msgspec.json.decode, ran("report", "compact", "--db", str(store), "--json"))
    assert {"path": str(store), "before": store.stat().st_size, "after": store.stat().st_size} == value
