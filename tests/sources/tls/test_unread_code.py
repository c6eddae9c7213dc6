"""What the files of a process whose traffic was not read seem to have."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from agentsight_rx.events import EMULATED, NO_CODE, NO_FILES, SEARCHED, UNOPENED
from agentsight_rx.sources.tls.candidates import Mapped, emulated
from agentsight_rx.sources.tls.libraries import FileId, Library, file_id
from agentsight_rx.sources.tls.unread_code import Code, UnreadCode

GONE = 0  # the number of no process


def unknown(_: FileId) -> None:
    return None


def id_of(path: Path) -> FileId:
    with path.open("rb") as file:
        return file_id(file)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_text("no program\n")
    return path


def code(*paths: Path) -> Code:
    return Code(files=tuple((path.name, str(path)) for path in paths))


def test_of_a_process_without_files_that_is_said() -> None:
    assert [("", NO_FILES)] == UnreadCode(unknown).looked_at(Code(), GONE, 0)


def test_a_file_that_is_no_program_has_no_code(text: Path) -> None:
    assert [("", NO_CODE)] == UnreadCode(unknown).looked_at(code(text), GONE, 0)


def test_a_file_that_cannot_be_opened_is_not_said_to_have_none(text: Path, tmp_path: Path) -> None:
    assert [("", UNOPENED)] == UnreadCode(unknown).looked_at(code(text, tmp_path / "gone"), GONE, 0)


def test_what_a_search_found_is_said_once(text: Path) -> None:
    unread, files = UnreadCode(lambda id: "rustls" if id == id_of(text) else None), code(text)
    assert [("text", "rustls")] == unread.looked_at(files, GONE, 0)
    assert [] == unread.looked_at(files, GONE, 0)


def test_a_file_that_is_read_since_then_was_being_searched(text: Path) -> None:
    unread = UnreadCode(unknown)
    unread.attached(Library(path=str(text), id=id_of(text)))
    assert [("text", SEARCHED)] == unread.looked_at(code(text), GONE, 0)


def test_a_file_whose_functions_are_others_looks_like_their_stack(text: Path) -> None:
    unread = UnreadCode(unknown)
    unread.unreadable(Library(path=str(text), id=id_of(text)), "gnutls")
    assert [("text", "gnutls")] == unread.looked_at(code(text), GONE, 0)


def test_files_that_are_loaded_later_are_looked_at_too(text: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    later.write_text("no program either\n")
    unread, files = UnreadCode(lambda id: "rustls" if id == id_of(later) else None), code(text)
    assert [("", NO_CODE)] == unread.looked_at(files, GONE, 0)
    unread.maps(GONE, [Mapped(GONE, str(later), str(later), 0, 0)])
    assert [(str(later), "rustls")] == unread.looked_at(files, GONE, 0)


def test_what_a_process_had_mapped_is_forgotten_with_it(text: Path) -> None:
    unread = UnreadCode(unknown)
    unread.maps(GONE, [Mapped(GONE, str(text), str(text), 0, 0)])
    unread.gone(GONE)
    assert [("", NO_FILES)] == unread.looked_at(Code(), GONE, 0)


def test_a_program_of_another_machine_is_emulated(tmp_path: Path) -> None:
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    head[18:20] = (243).to_bytes(2, "little")
    foreign = tmp_path / "curl"
    foreign.write_bytes(head)
    with foreign.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        found = emulated(os.getpid())
    assert (str(foreign), "riscv64") == found
    assert emulated(os.getpid()) is None
    assert emulated(GONE) is None
    unread, known = UnreadCode(unknown), Code(files=(("qemu", str(foreign)),), emulated=found)
    assert [(str(foreign), f"{EMULATED}riscv64")] == unread.looked_at(known, GONE, 0)
    assert [] == unread.looked_at(known, GONE, 0)
