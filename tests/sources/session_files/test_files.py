"""Files of one user, by directories that are opened one inside the other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsight_rx.llm.agents.known import AGENTS
from agentsight_rx.sources.session_files.files import Home, Listing, OpenedFile, home_of_user
from tests.sources.session_files.test_source import NAME, write

CLAUDE = next(agent for agent in AGENTS if agent.id == "claude")


def test_a_file_is_read_at_any_place(tmp_path: Path) -> None:
    write(tmp_path, NAME, b"0123456789")
    home = Home(str(tmp_path), os.geteuid())
    (file,) = Listing(home).files(CLAUDE)
    opened = OpenedFile(file, home)
    try:
        assert (b"345", b"9", b"") == (opened.read_at(3, 3), opened.read_at(9, 5), opened.read_at(20, 5))
        assert (10, False) == (opened.size, opened.is_too_large)
        assert b"0123456789" == b"".join(opened.chunks())
    finally:
        opened.close()


def test_a_file_of_another_user_is_not_listed(tmp_path: Path) -> None:
    write(tmp_path, NAME, b"{}")
    listing = Listing(Home(str(tmp_path), os.geteuid() + 1))
    assert ([], 1) == (list(listing.files(CLAUDE)), listing.skipped)


def test_the_home_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Home("/home/a", os.geteuid()) == home_of_user({"HOME": "/home/a"})
    assert home_of_user({"SUDO_USER": "no such user", "HOME": "/home/a"}).path == "/home/a"
