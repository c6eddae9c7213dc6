from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from agentsight_rx.errors import CaptureError
from agentsight_rx.sources.tls.finder import Finder
from agentsight_rx.sources.tls.libraries import Library, open_file

from . import TRUE


def test_a_file_is_inspected_once_whatever_its_path(libssl: Path, tmp_path: Path) -> None:
    found: list[Library] = []
    finder = Finder(lambda library, _: found.append(library))
    copy, link = tmp_path / "libssl-1.so", tmp_path / "libssl-2.so"
    shutil.copy(libssl, copy)
    link.hardlink_to(copy)
    assert [finder.attempt(str(path)) for path in (copy, link, copy)] == [True] * 3
    assert [library.path for library in found] == [str(copy)]
    assert finder.attempt(str(TRUE)) is False
    assert finder.attempt(str(tmp_path / "nothing")) is None
    shutil.copy(libssl, tmp_path / "other")
    assert finder.attempt(str(tmp_path / "other"))
    assert len(found) == 2


def refuse(library: Library, _: str) -> None:
    raise CaptureError(f"{library.path}: the kernel refused")


def test_a_refusal_of_the_kernel_is_reported_once(libssl: Path) -> None:
    said: list[str] = []
    finder = Finder(refuse, said.append)
    assert finder.attempt(str(libssl)) is False
    assert finder.attempt(str(libssl)) is False
    assert said == [f"{libssl}: the kernel refused"]


def test_a_refusal_is_reported_where_the_file_was_found_in_use(libssl: Path, tmp_path: Path) -> None:
    said: list[str] = []
    finder = Finder(refuse, said.append)
    large = tmp_path / "large.so"
    large.write_bytes(libssl.read_bytes() + bytes(8 << 20))
    assert finder.begin(str(libssl))
    assert finder.begin(str(large))
    while finder.searching:
        finder.take()
    assert said == [f"{libssl}: the kernel refused", f"{large}: the kernel refused"]


def test_a_refusal_of_a_file_that_was_named_is_raised_and_not_reported(libssl: Path) -> None:
    said: list[str] = []
    finder = Finder(refuse, said.append)
    with open_file(libssl) as file, pytest.raises(CaptureError, match="the kernel refused"):
        finder.look_into(file, str(libssl))
    assert said == []


def test_a_file_that_is_no_program_is_no_refusal(tmp_path: Path) -> None:
    said: list[str] = []
    finder = Finder(refuse, said.append)
    (tmp_path / "text").write_text("x" * 4096)
    assert finder.attempt(str(tmp_path / "text")) is False
    assert said == []


def test_a_large_file_is_searched_by_a_thread(libssl: Path, tmp_path: Path) -> None:
    threads: list[str] = []
    finder = Finder(lambda _, __: threads.append(threading.current_thread().name))
    large = tmp_path / "large.so"
    large.write_bytes(libssl.read_bytes() + bytes(8 << 20))
    assert finder.begin(str(large))
    assert finder.begin(str(large))
    assert finder.searching
    assert threads == []
    while finder.searching:
        finder.take()
    assert threads == [threading.current_thread().name]
    assert finder.begin(str(large))
    assert not finder.searching
    assert finder.begin(str(TRUE))
    assert not finder.begin(str(tmp_path / "nothing"))
    finder.close()


def test_what_is_searched_may_be_given_up(libssl: Path, tmp_path: Path) -> None:
    finder = Finder(lambda _, __: None)
    for name in ("a.so", "b.so"):
        (tmp_path / name).write_bytes(libssl.read_bytes() + bytes(8 << 20))
        finder.begin(str(tmp_path / name))
    finder.close()
    assert not finder.searching
