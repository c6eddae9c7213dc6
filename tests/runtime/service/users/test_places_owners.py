"""Whose an event is: the user's as whom its process ran, and nobody's where two users took part."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import (
    AnswerProgress,
    BlindSpot,
    Connection,
    Event,
    FileEvent,
    HostsKnown,
    HttpRequest,
    Loss,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    RulesLoaded,
    SessionEntry,
    SystemWide,
    Tick,
    Witness,
)
from agentsight_rx.events.loss import Reason
from agentsight_rx.runtime.service.users import places as owners
from agentsight_rx.runtime.service.users.places import PERSONAL, Owners

A, B = 1001, 1002


def at(pid: int, uid: int, connection: Connection | None = None) -> Origin:
    return Origin(1, pid, uid=uid, connection=connection)


def fork(pid: int, uid: int, ppid: int = 1) -> ProcessFork:
    return ProcessFork(at(pid, uid), ppid, 1)


def program(pid: int, uid: int) -> ProcessExec:
    return ProcessExec(at(pid, uid), 1, 1, filename="p", argv=("p",), cwd="/")


def read(pid: int, uid: int) -> FileEvent:
    return FileEvent(at(pid, uid), 1, "open", "/x")


def unread(pid: int) -> BlindSpot:
    return BlindSpot(at(pid, 0), 1, 1, 5)


def end(pid: int, uid: int) -> ProcessExit:
    return ProcessExit(at(pid, uid), 1, 1, 0)


def asked(pid: int, uid: int, opener: int) -> HttpRequest:
    return HttpRequest(at(pid, uid, Connection(opener, 1, "lib", 1)), 1, "GET", "/", "HTTP/1.1", ())


def test_each_kind_of_event_is_of_a_user_or_of_the_machine() -> None:
    machine = {AnswerProgress, HostsKnown, RulesLoaded, SessionEntry, SystemWide, Tick, Witness}
    assert {*get_args(Event)} == PERSONAL | machine
    assert not PERSONAL & machine


def test_an_event_belongs_to_the_user_of_its_process() -> None:
    whose = Owners()
    assert [A, B, A, None] == [whose.of(each) for each in (read(7, A), read(8, B), asked(7, A, 7), read(9, 0))]


@pytest.mark.parametrize(
    "event",
    [
        HostsKnown(at(7, A), (("/home/a", "host"),)),
        RulesLoaded(at(7, A), "/etc/rules"),
        SystemWide(at(7, A), 1, 1.0, 1.0, 1.0, 1, 1, 1),
        Loss(at(0, A), "tls", Reason.KERNEL_LOST, 1),
    ],
)
def test_what_is_of_the_machine_is_nobodys(event: Event) -> None:
    assert Owners().of(event) is None


def test_what_is_made_without_a_user_goes_to_the_user_of_the_process() -> None:
    whose = Owners()
    spot = unread(7)
    assert whose.of(spot) is None, "nothing says whose it is"
    assert A == whose.of(program(7, A))
    assert A == whose.of(spot)
    assert A == whose.of(Loss(at(7, 0), "tls", Reason.TRUNCATED, 1))
    assert A == whose.of(end(7, A))
    assert whose.of(spot) is None, "the number may be another process's"


def test_a_process_that_changes_its_user_is_roots_until_its_next_program() -> None:
    whose = Owners()
    assert A == whose.of(read(7, A))
    assert whose.of(read(7, B)) is None
    assert whose.of(read(7, A)) is None
    assert whose.of(fork(8, B, ppid=7)) is None, "a copy has the same memory"
    assert whose.of(read(8, B)) is None
    assert B == whose.of(program(7, B))
    assert B == whose.of(read(7, B))


def test_what_root_gave_up_is_no_mans() -> None:
    whose = Owners()
    assert whose.of(program(7, 0)) is None
    assert whose.of(read(7, A)) is None, "it began as root"
    assert A == whose.of(program(7, A)), "what su starts is the user's"


def test_a_process_that_ran_already_may_hide_its_user() -> None:
    whose = Owners()
    assert whose.of(ProcessSeen(at(7, 0), 1, 1, "p", ("p",), "/")) is None
    assert A == whose.of(read(7, A)), "/proc shows processes that may not be traced as root's"


def test_a_connection_that_another_user_opened_is_roots() -> None:
    whose = Owners()
    assert A == whose.of(read(7, A))
    assert B == whose.of(read(8, B))
    assert whose.of(asked(8, B, opener=7)) is None
    assert B == whose.of(asked(8, B, opener=8))


USERS = st.sampled_from([0, A, B, 1003])
PIDS = st.integers(2, 5)
EVENTS = st.one_of(
    st.builds(fork, PIDS, USERS, PIDS),
    st.builds(program, PIDS, USERS),
    st.builds(read, PIDS, USERS),
    st.builds(asked, PIDS, USERS, PIDS),
    st.builds(unread, PIDS),
    st.builds(end, PIDS, USERS),
)


@given(st.lists(EVENTS, max_size=30))
def test_no_order_of_events_gives_one_to_another_user(events: list[Event]) -> None:
    whose = Owners()
    for event in events:
        owner = whose.of(event)
        assert owner != 0
        if event.origin.uid:
            assert owner in (None, event.origin.uid)


def taking_part(event: Event) -> set[int]:
    """Its processes: of a fork both, of a message also the one that opened its connection."""
    connection = event.origin.connection
    parents = {event.ppid} if isinstance(event, ProcessFork) else set[int]()
    return {event.origin.pid} | parents | ({connection.pid} if connection else set())


@given(st.lists(EVENTS, max_size=30), st.sampled_from([A, B]))
def test_what_a_user_gets_depends_on_no_event_of_processes_of_others(events: list[Event], uid: int) -> None:
    """But for processes, and connections of processes, that several users had."""
    users: dict[int, set[int]] = {}
    for event in events:
        for pid in taking_part(event):
            users.setdefault(pid, set()).add(event.origin.uid)
    mixed = {pid for pid, found in users.items() if found != {uid}}
    own = [each for each in events if each.origin.uid == uid and mixed.isdisjoint(taking_part(each))]
    whose, alone = Owners(), Owners()
    seen = [whose.of(event) for event in events]
    kept = [owner for event, owner in zip(events, seen, strict=True) if event in own]
    assert [alone.of(event) for event in events if event in own] == kept


def test_it_remembers_a_limited_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "_PROCESSES_MOST", 3)
    whose = Owners()
    for pid in range(2, 40):
        assert A == whose.of(read(pid, A))
    assert 3 == len(whose._users)  # pyright: ignore[reportPrivateUsage]
    assert A == whose.of(replace(read(2, A), path="/y"))
