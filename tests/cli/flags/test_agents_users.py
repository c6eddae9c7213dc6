"""The flags for other users -> the sink that gives them their sessions, or why there is none."""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from agentsight_rx.cli.flags import agents as module
from agentsight_rx.cli.flags.agents import Users
from agentsight_rx.errors import UnwritableError, UsageError
from agentsight_rx.events.loss import Ledger
from agentsight_rx.runtime.service.users.places import Reader
from agentsight_rx.sources import Choice
from agentsight_rx.store.log.upkeep import Retention
from agentsight_rx.store.rows.tables import CALLS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.testing import Scene


@pytest.mark.needs("root")
@pytest.mark.parametrize(("users", "whole", "count"), [(None, True, 1), (None, False, 0), (True, False, 1), (False, True, 0)])
def test_other_users_get_their_sessions_where_the_whole_machine_is_recorded(
    users: bool | None, *, whole: bool, count: int
) -> None:
    assert count == len(Users(users=users).sinks(None, whole=whole, guard=False))


@pytest.mark.needs("root")
def test_a_group_is_a_name_or_a_number() -> None:
    name = grp.getgrgid(27).gr_name if any(each.gr_gid == 27 for each in grp.getgrall()) else "27"
    for given in ("27", name):
        assert 1 == len(Users(users=False, share_with=[given]).sinks(None, whole=True, guard=False))
    with pytest.raises(UsageError, match="--share-with 'no-such-group' is no group of this machine"):
        Users(share_with=["no-such-group"]).sinks(None, whole=True, guard=False)
    with pytest.raises(UnwritableError, match="group 0"):
        Users(share_with=["0"]).sinks(None, whole=True, guard=False)


def test_without_root_there_is_none_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [] == Users().sinks(None, whole=True, guard=False)
    for asked in (Users(users=True), Users(share_with=["27"])):
        with pytest.raises(UsageError, match="other users can be given no recording: only root may write"):
            asked.sinks(None, whole=True, guard=False)


def test_in_a_user_namespace_numbers_of_users_mean_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "_EVERY_USER", ["0", "100000", "65536"])
    with pytest.raises(UsageError, match="in a user namespace, users have other numbers"):
        Users(users=True).sinks(None, whole=True, guard=False)


@pytest.mark.needs("root")
def test_a_writer_has_the_rights_of_its_reader_and_writes_their_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)

    def of_root(gid: int) -> Reader:
        return Reader(os.geteuid(), gid, shared=True)

    monkeypatch.setattr(module, "group_reader", of_root)  # who may enter the folder of the test
    monkeypatch.setattr("agentsight_rx.runtime.service.users.sink._END_S", 120.0)  # on a busy machine
    scene = Scene()
    for uid in (0, 61001):
        agent = scene.process("claude", "fix it", uid=uid)
        agent.asks(f"fix it for {uid}")
        agent.is_answered("done")
    users = Users(users=False, share_with=[str(os.getegid() or 27)])
    (sink,) = users.sinks(Retention(most_bytes=1 << 30), whole=True, guard=True, folder=tmp_path / "users")
    writer = sink.open(Ledger())
    writer.write(scene.events)
    writer.flush()
    writer.close()
    (path,) = (tmp_path / "users").glob("group-*/agentsight-watched-group-*.lmdb")
    store = LmdbStore.open(path, readonly=True)
    assert ["fix it for 0", "fix it for 61001"] == [row.prompt for _, row in store.scan(CALLS)]
    store.close()


# -- past ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "whole", "is_read"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_session_files_are_imported_where_the_whole_machine_is_recorded(
    given: bool | None, *, whole: bool, is_read: bool, tmp_path: Path
) -> None:
    assert is_read == (Users(past=given).pasts(Choice(), None, whole=whole, folder=tmp_path) is not None)


def _people(_: Path) -> list[Reader]:
    return [Reader(61001, 61001, "/home/x")]


@pytest.mark.parametrize(
    ("users", "others"), [(Users(), True), (Users(users=False), False), (Users(users=False, past=True), True)]
)
def test_whoever_gives_other_users_nothing_imports_their_own_alone(
    users: Users, *, others: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "_hindrance", str)
    monkeypatch.setattr("agentsight_rx.runtime.service.users.past.people", _people)
    asked = users.pasts(Choice(), None, whole=True, folder=tmp_path)
    assert asked is not None
    assert others == (61001 in vars(asked)["_users"])
    assert others == vars(asked)["_keeps"].others


def test_of_agents_and_users_that_are_left_out_nothing_is_imported(tmp_path: Path) -> None:
    asked = Users(past=True).pasts(Choice(no_agents=("claude",), no_uids=(61001,)), None, whole=True, folder=tmp_path)
    assert asked is not None
    keeps = vars(asked)["_keeps"]
    assert "claude" not in keeps.agents
    assert "codex" in keeps.agents
    assert (61001,) == keeps.no_uids
