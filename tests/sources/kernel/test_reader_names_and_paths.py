"""Names and paths as bytes of the kernel -> text."""

from __future__ import annotations

import pytest

from agentsight_rx.sources.kernel.reader import lexical_path, walked_path


@pytest.mark.parametrize(
    ("given", "directory", "path"),
    [
        (b"/a/./b//c", None, "/a/b/c"),
        (b"//a", "/x", "/a"),
        (b"/../a/..", "/x", "/"),
        (b"a/../b/", "/", "/b"),
        (b"../a", "/one/two", "/one/a"),
        (b"a/../b", None, "a/../b"),
        (b"", "/one", ""),
        (b'\xff"', "/", '/\\xff"'),
    ],
)
def test_a_path_is_joined_by_its_text(given: bytes, directory: str | None, path: str) -> None:
    assert path == lexical_path(given, directory)


def test_names_are_put_together_from_the_innermost_on() -> None:
    assert "/a/b" == walked_path(b"b\0a\0", cut=False)
    assert "/" == walked_path(b"", cut=False)
    assert "/…/a/b" == walked_path(b"b\0a\0", cut=True)
