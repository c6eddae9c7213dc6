"""Whether a package names one of our groups is seen without importlib.metadata, wherever packages are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentsight_rx.core import start as installed
from tests.installed_package import install_broken


@pytest.fixture(autouse=True)
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other-1.dist-info").mkdir()
    (tmp_path / "without-1.dist-info").mkdir()
    (tmp_path / "other-1.dist-info" / "entry_points.txt").write_text("[console_scripts]\nx = x:y\n")
    library = [place for place in sys.path if not place.endswith("-packages")]
    monkeypatch.setattr(sys, "path", [*library, str(tmp_path / "missing.zip"), str(tmp_path)])


def test_other_packages_have_no_part() -> None:
    assert not installed.any_part()
    assert [] == list(installed.entries("operators"))


def test_the_entry_points_of_a_group_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "more").mkdir()
    install_broken(tmp_path / "more", operators="a:b", sinks="c:d")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "more")])
    assert installed.any_part()
    (entry,) = installed.entries("sinks")
    assert ("it", "agentsight-broken", "0.1") == (
        entry.name,
        *(() if entry.dist is None else (entry.dist.name, entry.dist.version)),
    )
    assert [] == list(installed.entries("providers"))
