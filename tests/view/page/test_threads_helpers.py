"""Programs of a tool -> which of them only prepare what runs."""

from __future__ import annotations

import pytest

from agentsight_rx.view import ProcessRow
from agentsight_rx.view.page.threads import is_helper

COMMAND = "cd src && pytest -q tests | tail -3"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("/bin/bash", "-c", COMMAND), False),
        (("pytest", "-q", "tests"), False),
        (("/root/.pyenv/versions/3.12.1/bin/python3.12", "/root/.pyenv/versions/3.12.1/bin/pytest", "-q", "tests"), False),
        (("bash", "/root/.pyenv/shims/pytest", "-q", "tests"), True),
        (("pyenv", "exec", "pytest"), True),
        (("/root/.pyenv/libexec/pyenv-version-name",), True),
        (("mise", "exec"), True),
        (("dirname", "/root/.pyenv/shims/pytest"), True),
        (("tail", "-3"), False),
        (("uname", "-s"), True),
        (("gcc", "-c", "x.c"), False),
        (("env",), False),
        ((), False),
    ],
)
def test_shims_and_small_tools_that_were_not_asked_for_are_helpers(argv: tuple[str, ...], expected: bool) -> None:
    assert expected == is_helper(ProcessRow("p", 1, argv=argv), COMMAND)


def test_a_helper_that_failed_is_seen() -> None:
    assert is_helper(ProcessRow("p", 1, argv=("uname",), exit_code=0), "make")
    assert not is_helper(ProcessRow("p", 1, argv=("uname",), exit_code=1, status="failure"), "make")
    assert not is_helper(ProcessRow("p", 1, argv=("uname",), signal=9, status="killed"), "make")


def test_a_program_of_which_only_the_name_is_known_is_one_by_its_name() -> None:
    assert is_helper(ProcessRow("p", 1, command="pyenv"), "make")
    assert not is_helper(ProcessRow("p", 1, command="make"), "make")
