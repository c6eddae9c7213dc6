"""Which alerts wait for a person: what was seen, what the rules of now allow, what stands still."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.policy.rules.guard.file import read_rules
from agentsight_rx.policy.rules.guard.values import Allow
from agentsight_rx.view import AlertRow
from agentsight_rx.view.queries.decided import (
    Decisions,
    Seen,
    State,
    allowed_by,
    allowing,
    fits,
    is_waiting,
    removed_by,
    state_of,
)

ROW = AlertRow(
    "alert-1",
    1,
    "writes-outside",
    "warn",
    "sh wrote ~/.bashrc",
    "/home/ada/.bashrc",
    number=1,
    agent="gemini",
    workspace="/home/ada/site",
    command="/bin/sh -c x",
    tool="Bash x",
)


def seen(count: int) -> Decisions:
    return Decisions({ROW.id: Seen(ROW.id, count, 5)})


def test_states() -> None:
    assert "new" == state_of(ROW, Decisions())
    assert "seen" == state_of(ROW, seen(1))
    assert "note" == state_of(replace(ROW, do="note"), Decisions())
    assert "part" == state_of(replace(ROW, part_of="alert-2"), Decisions())
    states: tuple[State, ...] = ("stopped", "new", "seen", "allowed", "note", "part")
    assert ["stopped", "new"] == [each for each in states if is_waiting(each)]


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_seen_alert_waits_again_once_it_is_reported_again(before: int, now: int) -> None:
    reported = [step for step in (1, 10, 100, 1000) if before < step <= now]
    assert ("new" if reported else "seen") == state_of(replace(ROW, count=max(before, now)), seen(before))


def test_to_have_seen_it_ends_no_stop() -> None:
    def stands_still(_: AlertRow) -> bool:
        return True

    halted = replace(seen(1), halted=stands_still)
    assert "stopped" == state_of(replace(ROW, do="stop"), halted)
    assert "seen" == state_of(replace(ROW, do="stop"), seen(1))
    assert "seen" == state_of(ROW, halted), "no rule asked to stop it"


@pytest.mark.parametrize(
    ("entry", "is_fitting"),
    [
        (Allow(path="~/.bashrc"), True),
        (Allow(path="~/.*", agent="gemini", workspace="~/site", program="sh", command="/bin/sh *", tool="Bash"), True),
        (Allow(path="~/.bashrc", agent="claude"), False),
        (Allow(path="~/.profile"), False),
        (Allow(host="*"), False),
        (Allow(because="nothing"), False),
    ],
)
def test_an_entry_fits_where_all_of_it_does(entry: Allow, is_fitting: bool) -> None:
    assert is_fitting == fits(entry, ROW)
    assert int(is_fitting) == removed_by(entry, "writes-outside", [ROW, replace(ROW, rule="other")])


def test_a_command_that_is_not_known_whole_fits_no_entry() -> None:
    assert not fits(Allow(command="*"), replace(ROW, command="make " + "x" * 150 + "…"))


def test_the_rules_of_now_allow_it() -> None:
    rules = read_rules('[rule.writes-outside]\nallow.append = [{ path = "~/.bashrc" }]', "own")
    assert '{ path = "~/.bashrc" }' == allowed_by(ROW, rules)
    assert "allowed" == state_of(ROW, Decisions(rules=rules))
    assert "" == allowed_by(replace(ROW, target="/home/ada/.profile"), rules)
    assert "" == allowed_by(replace(ROW, rule="gone"), rules)
    assert 'do = "note"' == allowed_by(ROW, read_rules('[rule.writes-outside]\ndo = "note"', "own"))
    assert 'do = "off"' == allowed_by(ROW, read_rules('[rule.writes-outside]\ndo = "off"', "own"))


def test_what_would_allow_it() -> None:
    assert Allow(path="~/.bashrc") == allowing(ROW)
    assert Allow(path="~/.x/*") == allowing(replace(ROW, target="/root/.x/"))
    assert Allow(host="a") == allowing(replace(ROW, host="a"))
    assert Allow(command="rm -rf /opt/x") == allowing(replace(ROW, rule="dangerous-command", command="rm -rf /opt/x"))
    for row in (
        replace(ROW, rule="secret-left"),
        replace(ROW, target="the session"),
        replace(ROW, target='/srv/"x'),
        replace(ROW, rule="dangerous-command", command="rm -rf ~/x"),
        replace(ROW, rule="dangerous-command", command="rm -rf " + "x" * 9 + "…"),
        replace(ROW, rule="dangerous-command", command=""),
    ):
        assert allowing(row) is None
