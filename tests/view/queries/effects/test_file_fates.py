"""What became of a file, by the lines of a part of a recording and by all of it."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.view import AuditRow
from agentsight_rx.view.queries.effects.file_fates import Lives, effect_of, kinds_of
from agentsight_rx.view.queries.effects.files import file_uses
from agentsight_rx.view.queries.effects.work import files_touched
from tests.view.queries.rows import causes, did, stored

MADE = os.O_WRONLY | os.O_CREAT


@pytest.mark.parametrize(
    ("row", "effect"),
    [
        (did("open", "/a", flags=0), "read"),
        (did("open", "/a", flags=MADE), "written"),
        (did("open", "/a", flags=os.O_RDONLY | os.O_DIRECTORY), "read"),
        (did("open", "/a", flags=os.O_RDWR | os.O_TMPFILE), "read"),  # a file without a name in this directory
        (did("mkdir", "/a"), "written"),
        (did("rename", "/a", target="/b"), "moved"),
        (did("rename", "/a", target="/a"), None),
        (did("rmdir", "/a"), "removed"),
        (did("close", "/a", read_bytes=4), None),
        (did("unlink", "/a", errno=errno.EACCES), "refused"),
        (did("unlink", "/a", errno=errno.ENOENT), None),
    ],
)
def test_a_line_has_one_effect(row: AuditRow, effect: str | None) -> None:
    assert effect == effect_of(row)


def test_a_file_that_was_made_before_the_part_that_is_looked_at_is_temporary_there_too() -> None:
    before, after = did("open", "/a", 1, flags=MADE), did("unlink", "/a", 9)
    lives = Lives(stored(before, after))
    assert {"/a": "removed"} == kinds_of([after])
    assert {"/a": "temporary"} == kinds_of([after], lives)
    assert (("/a",), ()) == (files_touched([after], lives).passing, files_touched([after], lives).removed)
    assert ["temporary"] == [use.kind for use in file_uses([after], causes(), lives).files]


def test_a_file_that_is_removed_later_was_not_left_behind_by_who_made_it() -> None:
    made, gone = did("open", "/a", 1, flags=MADE), did("unlink", "/a", 9)
    assert {"/a": "temporary"} == kinds_of([made], Lives(stored(made, gone)))


def test_a_file_that_was_there_before_the_recording_is_removed() -> None:
    rows = [did("open", "/a", 1, flags=0), did("unlink", "/a", 9)]
    assert {"/a": "removed"} == kinds_of(rows[1:], Lives(stored(*rows)))


@pytest.mark.parametrize(("row", "kind"), [(did("unlink", "/a", 9), "removed"), (did("rename", "/a", 9, target="/b"), "moved")])
def test_a_file_that_was_only_appended_to_was_not_made(row: AuditRow, kind: str) -> None:
    rows = [did("open", "/a", 1, flags=MADE | os.O_APPEND, existed=True), did("close", "/a", 2, written_bytes=3), row]
    assert kinds_of(rows)["/a"] == kind
    assert kinds_of(rows[2:], Lives(stored(*rows)))["/a"] == kind


def test_a_file_is_followed_through_its_names() -> None:
    rows = [
        did("open", "/a.tmp", 1, flags=MADE),
        did("rename", "/a.tmp", 2, target="/a"),
        did("rename", "/a", 3, target="/b"),
        did("unlink", "/b", 4),
    ]
    lives = Lives(stored(*rows))
    assert {"/b": "temporary"} == kinds_of(rows[3:], lives)
    assert {"/a": "temporary", "/b": "temporary"} == kinds_of(rows[2:3], lives)


def test_a_name_that_another_file_got_is_not_gone() -> None:
    rows = [
        did("open", "/a", 1, flags=MADE),
        did("unlink", "/a", 2),
        did("rename", "/x", 3, target="/a"),
    ]
    assert {"/a": "written"} == kinds_of(rows[:1], Lives(stored(*rows)))


def test_a_look_up_that_failed_says_nothing_of_a_name() -> None:
    rows = [did("rename", "/x", 1, target="/a", errno=errno.ENOENT), did("open", "/a", 2, flags=MADE), did("unlink", "/a", 3)]
    assert {"/a": "temporary"} == kinds_of(rows[2:], Lives(stored(*rows)))


def test_what_was_written_to_the_kernel_is_no_file_that_was_written() -> None:
    touched = files_touched([did("open", "/proc/self/oom_score_adj", flags=MADE), did("open", "/proc/stat", flags=0)])
    assert ((), 1) == (touched.written, touched.read)


COUNTS = st.sampled_from(
    [  # path, link of the tool, whether it counts
        ("/home/ada/x/a.py", None, True),
        ("/home/ada/x/a.py", "lineage", True),
        ("/home/ada/x/.env", "lineage", True),
        ("/home/ada/x/.github/workflows/ci.yml", "path", True),
        ("/tmp/plan.md", "lineage", True),
        ("/tmp/plan.md", "path", True),
        ("/var/tmp/x", "lineage", True),
        ("/home/ada/x/.git/config", "path", True),
        ("/home/ada/x/.git/index", "lineage", False),
        ("/home/ada/x/__pycache__/a.pyc", "lineage", False),
        ("/home/ada/x/node_modules/y/index.js", "lineage", False),
        ("/home/ada/.claude/history.jsonl", None, False),
        ("/tmp/claude-1-cwd", None, False),
        ("/run/user/1/x", None, False),
    ]
)


@given(st.lists(COUNTS, unique_by=lambda each: each[0]), st.booleans(), st.sampled_from(["", "/", "/home/ada/x"]))
def test_what_a_tool_wrote_counts_wherever_it_lies(files: list[tuple[str, str | None, bool]], gone: bool, home: str) -> None:
    """And what an agent writes for itself does not, nor do folders, nor what only passes."""
    rows: list[AuditRow] = []
    for at, (path, link, _) in enumerate(files):
        tied = {"tool_id": "tool" if link else None, "link": link}
        rows.append(replace(did("mkdir", f"{path}.d", 10 * at), **tied))
        rows.append(replace(did("open", f"{path}.tmp", 10 * at + 1, flags=MADE), **tied))  # written aside, and moved
        rows.append(replace(did("rename", f"{path}.tmp", 10 * at + 2, target=path), **tied))
        rows.append(replace(did("open", f"{path}.lock", 10 * at + 3, flags=MADE), **tied))
        rows.append(replace(did("unlink", f"{path}.lock", 10 * at + 4), **tied))
        if gone:
            rows.append(replace(did("unlink", f"{path}.old", 10 * at + 5), **tied))
            rows.append(replace(did("rmdir", f"{path}.gone", 10 * at + 6), **tied))
    found, expected = files_touched(rows, home=home), sum(counts for _, _, counts in files)
    assert (expected, expected * gone) == (found.edited, found.erased)
    assert set(found.written[: found.edited]) == {path for path, _, counts in files if counts}


def test_where_the_agent_works_may_be_a_temporary_place() -> None:
    rows = [did("close", "/tmp/work/a.py", written_bytes=1), did("close", "/tmp/work/.cache/x", written_bytes=1)]
    assert [0, 1] == [files_touched(rows, home=home).edited for home in ("", "/tmp/work")]


def test_files_in_hidden_and_temporary_places_come_last_and_are_not_counted_as_edited_or_erased() -> None:
    found = files_touched(
        [
            did("close", "/tmp/b", written_bytes=1),
            did("close", "/home/a.py", written_bytes=1),
            did("unlink", "/home/.cache/x"),
            did("unlink", "/home/old.py"),
        ]
    )
    assert (("/home/a.py", "/tmp/b"), 1) == (found.written, found.edited)
    assert (("/home/old.py", "/home/.cache/x"), 1) == (found.removed, found.erased)
