"""What the audit trail of files says, by path."""

from __future__ import annotations

import errno
import os

import pytest

from agentsight_rx.view import AuditRow
from agentsight_rx.view.queries.effects import files
from agentsight_rx.view.queries.effects.files import FileUse, file_uses
from tests.view.queries.rows import AGENT, causes, did


def used(*rows: AuditRow) -> tuple[FileUse, ...]:
    return file_uses(rows, causes()).files


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([did("open", "/a", flags=os.O_RDONLY), did("close", "/a", read_bytes=3)], "read"),
        ([did("open", "/a", flags=os.O_WRONLY)], "written"),
        ([did("close", "/a", written_bytes=3)], "written"),
        ([did("truncate", "/a")], "written"),
        ([did("mkdir", "/a")], "written"),
        ([did("close", "/a", written_bytes=3), did("unlink", "/a")], "removed"),
        ([did("rmdir", "/a")], "removed"),
        ([did("open", "/a", flags=os.O_WRONLY | os.O_CREAT), did("unlink", "/a")], "temporary"),
        ([did("mkdir", "/a"), did("rmdir", "/a")], "temporary"),
        ([did("open", "/a", flags=0), did("open", "/a", flags=os.O_CREAT), did("unlink", "/a")], "removed"),
        ([did("open", "/a", errno=errno.ENOENT), did("open", "/a", flags=os.O_CREAT), did("unlink", "/a")], "temporary"),
        ([did("unlink", "/a"), did("open", "/a", flags=os.O_WRONLY | os.O_CREAT)], "written"),
        ([did("open", "/a", errno=errno.EACCES)], "refused"),
        ([did("open", "/a", errno=errno.EPERM), did("open", "/a", flags=0)], "refused"),
        ([did("unlink", "/a", errno=errno.EROFS)], "refused"),
        ([did("open", "/a", errno=errno.ENOENT)], "failed"),
        ([did("open", "/a", errno=errno.ENOENT), did("open", "/a", flags=0)], "read"),
        ([did("close", "/dev/null", written_bytes=3)], "device"),
        ([did("close", "/dev/shm/a", written_bytes=3)], "written"),
    ],
)
def test_the_kind_says_what_is_left_of_it(rows: list[AuditRow], kind: str) -> None:
    assert [kind] == [each.kind for each in used(*rows)]


def test_writes_and_removals_come_first_then_refusals_then_reads() -> None:
    kinds = [
        each.kind
        for each in used(
            did("open", "/0", flags=0),
            did("open", "/1", errno=errno.ENOENT),
            did("open", "/2", errno=errno.EACCES),
            did("unlink", "/3"),
            did("mkdir", "/4"),
        )
    ]
    assert kinds == ["written", "removed", "refused", "read", "failed"]


def test_what_programs_read_to_start_comes_last() -> None:
    assert ["/home/a", "/etc/a"] == [
        each.path for each in used(did("open", "/etc/a", flags=0), did("open", "/home/a", flags=0))
    ]


def test_a_new_name_has_what_was_written_under_the_old_one() -> None:
    new, old = used(did("close", "/a.tmp", written_bytes=7), did("rename", "/a.tmp", target="/a"))
    assert (new.path, new.kind, new.written_bytes) == ("/a", "written", 7)
    assert (old.path, old.kind, old.target) == ("/a.tmp", "moved", "/a")
    assert new.by == old.by


def test_a_refused_move_changes_nothing() -> None:
    assert [(each.path, each.kind) for each in used(did("rename", "/a", target="/b", errno=errno.EACCES))] == [
        ("/a", "refused")
    ]


def test_operations_errors_and_bytes_add_up() -> None:
    (use,) = used(
        did("open", "/a", 1, count=3, flags=0),
        did("close", "/a", 2, read_bytes=5, count=3),
        did("open", "/a", 9, count=2, errno=errno.ENOENT),
    )
    assert (use.count, use.errors, use.error, use.read_bytes) == (8, 2, "ENOENT", 5)
    assert (use.first_timestamp_ms, use.last_timestamp_ms) == (1, 9)


def test_who_and_for_which_tool_of_which_turn() -> None:
    (use,) = used(did("mkdir", "/a"))
    (who,), (cause,) = use.by, use.causes
    assert (who.pid, who.comm, who.agent) == (2, "sh", "claude")
    assert (cause.tool, cause.turn, cause.prompt, cause.call_id) == ("Bash", 3, "fix it", "llm-1")


def test_what_the_agent_does_by_itself_has_no_tool() -> None:
    (use,) = used(did("mkdir", "/a", process=AGENT))
    assert (use.causes, [who.agent for who in use.by]) == ((), ["claude"])


def test_other_kinds_of_rows_do_not_count() -> None:
    assert used(AuditRow("a", 1, "network", action="connect", target="/a")) == ()


def test_paths_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PATHS_MOST", 1)
    uses = file_uses([did("open", "/a", flags=0), did("open", "/b", count=4), did("close", "/a", read_bytes=1)], causes())
    assert ([each.path for each in uses.files], uses.uncounted) == (["/a"], 4)
