"""What became of a file, by the lines of a part of a recording and by all of it."""

from __future__ import annotations

import errno
import os

import pytest

from agentsight_rx.view import AuditRow
from agentsight_rx.view.queries.effects import files_touched
from agentsight_rx.view.queries.file_fates import Lives, effect_of, kinds_of
from agentsight_rx.view.queries.files import file_uses

from .rows import causes, did, stored

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
