"""A search that came by a file, and one that was asked for it."""

from __future__ import annotations

import pytest

from agentsight_rx.policy.rules.guard.searching import Command, came_by

ENV = "/home/ada/shop/.env"
KEY = "/home/ada/.ssh/id_ed25519"


@pytest.mark.parametrize(
    ("line", "path", "parent", "by"),
    [
        ("grep -r token .", ENV, "", True),
        ("grep -rn token", ENV, "", True),
        ("grep -rn .env .", ENV, "", True),  # the text that is searched for
        ("grep --recursive token src ..", ENV, "", True),
        ("/bin/grep -R -A 3 token .", ENV, "", True),
        ("grep -rn -e token .", ENV, "", True),
        ("grep -r --include=* token .", ENV, "", True),
        ("busybox grep -r token .", ENV, "", True),
        ("rg token", ENV, "", True),
        ("rg --hidden -uuu token /home/ada/shop", ENV, "", True),
        ("git grep --no-index token", ENV, "", True),
        ("ag token", ENV, "", True),
        ("grep -r token /home/ada", KEY, "", True),
        ("grep token ./.env ./a.py", ENV, "find . -type f -exec grep token {} +", True),
        ("grep token ./.env ./a.py", ENV, "xargs grep token", True),
        ("grep token .env", ENV, "", False),
        ("grep -r token .env", ENV, "", False),
        ("grep -re token ./src/../.env", ENV, "", False),
        ("rg token .env", ENV, "", False),
        ("rg . /home/ada/.ssh", KEY, "", False),
        ("grep -r . /home/ada/.ssh/", KEY, "", False),
        ("grep -r . ../.ssh", KEY, "", False),
        ("grep -rh . /run/secrets", "/run/secrets/db", "", False),
        ("grep -r --include=.env* . /home/ada", ENV, "", False),
        ("grep -r --include .env . /home/ada", ENV, "", False),
        ("rg -g .env token", ENV, "", False),
        ("grep . ./.env", ENV, "find . -name .env* -exec grep . {} +", False),
        ("grep . /home/ada/.ssh/id_ed25519", KEY, "find /home/ada/.ssh -type f -exec grep . {} ;", False),
        ("cat .env", ENV, "", False),
        ("cat ./.env", ENV, "find . -exec cat {} +", False),
        ("python3 search.py -r .", ENV, "", False),
        ("", ENV, "", False),
    ],
)
def test_a_search_came_by_a_file_or_was_asked_for_it(line: str, path: str, parent: str, by: bool) -> None:
    assert by == came_by(path, Command(line.split(), "/home/ada/shop"), parent.split())


def test_a_search_in_a_folder_of_keys_is_asked_for_them() -> None:
    assert not came_by(KEY, Command(["grep", "-r", "."], "/home/ada/.ssh"))
