"""PATH of the invoking user."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from agentsight_rx.search_path import search_path


def test_without_a_home_it_is_the_one_of_the_environment() -> None:
    assert search_path({"PATH": "/bin"}) == "/bin"
    assert search_path({}) == os.defpath


def test_places_in_the_home_come_behind_it_the_newest_version_first(tmp_path: Path) -> None:
    old, new = (tmp_path / f".nvm/versions/node/{version}/bin" for version in ("v9.0", "v20.0"))
    for folder in (old, new, tmp_path / "bin"):
        folder.mkdir(parents=True)
    assert search_path({"PATH": "/bin"}, tmp_path) == f"/bin:{tmp_path}/bin:{new}:{old}:/snap/bin"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is behind sudo")
def test_the_home_is_looked_up_behind_sudo_alone() -> None:
    behind = search_path({"PATH": "/bin", "SUDO_UID": "0"})
    assert (behind[:5], behind[-10:]) == ("/bin:", ":/snap/bin")
    for unknown in ("nobody", str(max(entry.pw_uid for entry in pwd.getpwall()) + 1), str(1 << 70)):
        assert search_path({"PATH": "/bin", "SUDO_UID": unknown}) == "/bin"
