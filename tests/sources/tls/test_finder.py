from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

from agentsight_rx.errors import CaptureError
from agentsight_rx.events import SEARCHED
from agentsight_rx.sources.tls.candidates import Mapped
from agentsight_rx.sources.tls.finder import Finder
from agentsight_rx.sources.tls.libraries import Library, file_id, looks_like
from tests.sources.tls import TRUE, make_program


def unexpected(sentence: str) -> None:
    raise AssertionError(sentence)


def test_a_file_is_inspected_once_whatever_its_path(libssl: Path, tmp_path: Path) -> None:
    found: list[Library] = []
    finder = Finder(lambda library, _: found.append(library), unexpected)
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


def refuse(_: Library, __: str) -> None:
    raise CaptureError("the kernel refused the probes")


def test_a_refusal_of_the_kernel_is_no_error_and_is_reported_once(libssl: Path) -> None:
    said: list[str] = []
    finder = Finder(refuse, said.append)
    assert finder.attempt(str(libssl)) is False
    assert finder.attempt(str(libssl)) is False
    assert said == ["the kernel refused the probes"]


def test_a_mapped_file_that_the_kernel_refused_is_known_by_its_place(libssl: Path) -> None:
    """So that the source goes on to note which processes map it."""
    found = os.stat(libssl)
    mapped = Mapped(os.getpid(), str(libssl), str(libssl), device=found.st_dev, inode=found.st_ino)
    finder = Finder(refuse, lambda _: None)
    finder.begin(mapped.place, mapped)
    assert finder.refused_places == {(mapped.device, mapped.inode)}


def test_a_refusal_for_a_file_that_a_thread_searched_is_reported_too(libssl: Path, tmp_path: Path) -> None:
    said: list[str] = []
    finder = Finder(refuse, said.append)
    large = tmp_path / "large.so"
    large.write_bytes(libssl.read_bytes() + bytes(8 << 20))
    finder.begin(str(large))
    while finder.searching:
        finder.take()
    finder.close()
    assert said == ["the kernel refused the probes"]


def test_a_large_file_is_searched_by_a_thread(libssl: Path, tmp_path: Path) -> None:
    threads: list[str] = []
    finder = Finder(lambda _, __: threads.append(threading.current_thread().name), unexpected)
    large = tmp_path / "large.so"
    large.write_bytes(libssl.read_bytes() + bytes(8 << 20))
    assert finder.begin(str(large))
    assert finder.begin(str(large))
    assert finder.searching
    with large.open("rb") as file:
        assert SEARCHED == finder.seems(file_id(file))
    with open(TRUE, "rb") as file:
        assert finder.seems(file_id(file)) is None
    assert threads == []
    while finder.searching:
        finder.take()
    assert threads == [threading.current_thread().name]
    assert finder.begin(str(large))
    assert not finder.searching
    assert finder.begin(str(TRUE))
    assert not finder.begin(str(tmp_path / "nothing"))
    finder.close()


def test_what_is_searched_may_be_given_up_and_is_known_as_searched(libssl: Path, tmp_path: Path) -> None:
    """Else a program that ended before the search would have no known TLS code."""
    finder = Finder(lambda _, __: None, unexpected)
    paths = [tmp_path / "a.so", tmp_path / "b.so"]
    for path in paths:
        path.write_bytes(libssl.read_bytes() + bytes(8 << 20))
        finder.begin(str(path))
    finder.close()
    assert not finder.searching
    for path in paths:
        with path.open("rb") as file:
            assert SEARCHED == finder.seems(file_id(file))


def test_what_a_file_seems_to_have_is_known_behind_its_search(tmp_path: Path) -> None:
    finder = Finder(lambda _, __: None, unexpected)
    path = Path(make_program(tmp_path / "agent", trailing=b"\0third_party/boringssl/ssl/ssl_lib.cc\0" + bytes(8 << 20)))
    finder.begin(str(path))
    while finder.searching:
        finder.take()
    assert finder.worked_s > 0
    with path.open("rb") as file:
        assert "BoringSSL" == looks_like(path) == finder.seems(file_id(file))
    finder.close()
