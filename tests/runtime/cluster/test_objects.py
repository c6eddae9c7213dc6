"""Object stores that are no good, or answer in their own way, when two create the same."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from agentsight_rx.errors import SpoolError
from agentsight_rx.runtime.cluster import place_of


class Store(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """`answers` come instead of what is asked for; `before` is written by another one first."""

    protocol = "odd"
    cachable = False
    answers: ClassVar[list[OSError]] = []
    before: bytes | None = None
    conditional = True
    writes = 0

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: Any) -> None:
        Store.writes += 1
        if Store.before is not None:
            content, Store.before = Store.before, None
            super().pipe_file(path, content)
        if Store.answers:
            raise Store.answers.pop(0)
        super().pipe_file(path, value, mode if Store.conditional else "overwrite", **more)


@pytest.fixture
def url() -> str:
    """Of a store that nothing is known about yet."""
    name = uuid4().hex
    fsspec.register_implementation("odd", type(f"Store{name}", (Store,), {}), clobber=True)
    Store.answers, Store.before, Store.conditional, Store.writes = [], None, True, 0
    return f"odd://{name}"


def test_the_first_that_is_created_is_created_twice_to_see_that_the_second_is_refused(url: str) -> None:
    place = place_of(url)
    assert place.create("a/one", b"1")
    assert 2 == Store.writes
    assert place.create("a/two", b"2")
    assert 3 == Store.writes, "it is proven once"


def test_a_store_that_ignores_the_condition_is_refused(url: str) -> None:
    Store.conditional = False
    with pytest.raises(SpoolError, match="cannot create a file only if it does not exist"):
        place_of(url).create("a/one", b"1")


def test_a_store_that_looks_before_it_writes_is_refused(tmp_path: Path) -> None:
    """As most of fsspec do, here that of files: of two that look at once, both write."""
    with pytest.raises(SpoolError, match="cannot create a file only if it does not exist"):
        place_of(f"local://{tmp_path}").create("one", b"1")
    assert [] == list(tmp_path.iterdir())


def test_of_two_at_the_same_moment_the_other_was_first_whatever_the_store_answers(url: str) -> None:
    for answer in (OSError(errno.EINVAL, "412 without its condition"), OSError(errno.EIO, "ConditionalRequestConflict")):
        place, name = place_of(url), f"a/{uuid4().hex}"
        Store.answers, Store.before = [answer], b"other"
        assert not place.create(name, b"1")
        assert b"other" == place.read(name)


def test_a_conflict_that_leaves_nothing_is_tried_again(url: str) -> None:
    Store.answers = [OSError(errno.EIO, "ConditionalRequestConflict")] * 2
    place = place_of(url)
    assert place.create("a/one", b"1")
    assert b"1" == place.read("a/one")


def test_what_is_not_allowed_is_not_tried_again_and_an_error_without_words_has_its_name(url: str) -> None:
    Store.answers = [PermissionError()]
    with pytest.raises(SpoolError, match="a/one cannot be written: PermissionError"):
        place_of(url).create("a/one", b"1")
    assert 1 == Store.writes
