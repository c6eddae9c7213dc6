"""The searcher of files ends: no thread stands still for it, and it is said."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from agentsight_rx.sources.hooks.code import Request
from agentsight_rx.sources.hooks.process import process_of
from agentsight_rx.sources.hooks.searches import CodeCache, Found, Searches
from agentsight_rx.sources.hooks.space import Space


def test_a_thread_goes_on_where_the_searcher_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        check(Searches(ours), theirs)


def check(searches: Searches, theirs: socket.socket) -> None:
    found = list[Found]()
    process = process_of(os.getpid(), Space(os.getpid()))
    searches.of(process, 1, found.append)
    assert {1} == searches.waiting
    theirs.close()
    searches.take()
    assert [[]] == found
    process.space.files.clear()
    searches.of(process, 2, found.append)
    assert [[], []] == found
    assert not searches.waiting


def test_what_was_found_is_kept_with_a_hash_of_files_that_are_there(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path)
    request = Request((0, 0, 0), sys.executable, sys.executable, True)
    found = cache.of(request)
    cache.save()
    assert found == CodeCache(tmp_path).of(request)
    assert [tmp_path / "breakpoints.msgpack"] == list(tmp_path.iterdir())
