"""Where the configuration of a user is: in XDG_CONFIG_HOME, in the home, and under sudo in the home of the person."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from agentsight_rx.cli.places.own_files import own_file


@pytest.mark.parametrize(
    ("xdg", "home", "found"),
    [
        ("/x", "/h", "/x/agentsight-rx/a.toml"),
        ("", "/h", "/h/.config/agentsight-rx/a.toml"),
        ("relative", "/h", "/h/.config/agentsight-rx/a.toml"),
    ],
)
def test_the_place_of_a_file(monkeypatch: pytest.MonkeyPatch, xdg: str, home: str, found: str) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", xdg)
    monkeypatch.setenv("HOME", home)
    assert Path(found) == own_file("a.toml")


def test_without_variables_it_is_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_UID", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    assert Path(pwd.getpwuid(os.getuid()).pw_dir) / ".config/agentsight-rx/a.toml" == own_file("a.toml")


@pytest.mark.needs("root")
def test_under_sudo_it_is_the_home_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    monkeypatch.setenv("SUDO_UID", "65534")
    assert Path(pwd.getpwuid(65534).pw_dir) / ".config/agentsight-rx/a.toml" == own_file("a.toml")
    monkeypatch.setenv("SUDO_UID", str(2**31 - 7))
    assert own_file("a.toml") is None
