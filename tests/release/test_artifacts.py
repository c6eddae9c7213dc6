"""
What `python -m build` made -> whole, of the sources of that moment, and the same each time.

`./test.sh --release` builds HEAD in two fresh clones and names their folders in AGENTSIGHT_BUILDS, separated by a colon.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from agentsight_rx.cli.program.manual import manual
from agentsight_rx.cli.program.version import commit_of
from scripts.index_readme import index_readme
from scripts.made import MADE

CLONES = [Path(each) for each in os.environ.get("AGENTSIGHT_BUILDS", "").split(":") if each]
LINK = re.compile(r"\]\((?!https:|#)")


@pytest.fixture(scope="module")
def clone() -> Path:
    assert len(CLONES) == 2, "run this by ./test.sh --release"
    return CLONES[0]


@pytest.fixture(scope="module")
def wheel(clone: Path) -> zipfile.ZipFile:
    (path,) = (clone / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def unpacked(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the sdist."""
    (path,) = (clone / "dist").glob("*.tar.gz")
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


def of_metadata(wheel: zipfile.ZipFile, name: str) -> bytes:
    (path,) = (each for each in wheel.namelist() if each.endswith(f".dist-info/{name}"))
    return wheel.read(path)


@pytest.mark.usefixtures("clone")
def test_two_builds_are_equal() -> None:
    first, second = ({each.name: each.read_bytes() for each in (clone / "dist").iterdir()} for clone in CLONES)
    assert sorted(first) == sorted(second)
    assert len(first) == 2
    assert [] == [name for name in first if first[name] != second[name]]


def test_the_wheel_is_for_every_machine_and_holds_text_alone(wheel: zipfile.ZipFile) -> None:
    assert b"Root-Is-Purelib: true" in of_metadata(wheel, "WHEEL")
    assert b"Tag: py3-none-any" in of_metadata(wheel, "WHEEL")
    for name in wheel.namelist():
        assert "\0" not in wheel.read(name).decode(), name


def test_the_wheel_has_every_file_of_the_package(wheel: zipfile.ZipFile, clone: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "agentsight_rx", "benchmarks"], cwd=clone, capture_output=True, text=True, check=True
    ).stdout.split()
    packed = {each.replace("agentsight_rx/benchmarks/", "benchmarks/") for each in wheel.namelist()}
    assert set() == set(tracked) - packed
    added = {each for each in packed - set(tracked) if ".dist-info/" not in each and ".data/" not in each}
    assert added == {
        "agentsight_rx/commit.txt",
        "agentsight_rx/runtime/web/dist/index.html",
        "agentsight_rx/runtime/web/dist/sources.sha256",
        "agentsight_rx/runtime/web/dist/assets/app.js",
        "agentsight_rx/runtime/web/dist/assets/rest.js",
        "agentsight_rx/runtime/web/dist/assets/whole.js",
        "agentsight_rx/runtime/web/dist/assets/app.css",
    }


def test_the_sdist_has_every_file_of_the_commit_and_what_is_made(unpacked: Path, clone: Path) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=clone, capture_output=True, text=True, check=True).stdout.split()
    packed = {each.relative_to(unpacked).as_posix() for each in unpacked.rglob("*") if each.is_file()}
    assert set() == set(tracked) - packed
    assert packed - set(tracked) == {
        "PKG-INFO",
        "agentsight_rx/commit.txt",
        "agentsight_rx/runtime/web/dist/index.html",
        "agentsight_rx/runtime/web/dist/sources.sha256",
        "agentsight_rx/runtime/web/dist/assets/app.js",
        "agentsight_rx/runtime/web/dist/assets/rest.js",
        "agentsight_rx/runtime/web/dist/assets/whole.js",
        "agentsight_rx/runtime/web/dist/assets/app.css",
        "share/sources.sha256",
        "share/man/man1/agentsight-rx.1",
    }


def test_licence_types_commit_and_man_page_are_in_the_wheel(wheel: zipfile.ZipFile, clone: Path) -> None:
    assert (clone / "LICENSE").read_bytes() == of_metadata(wheel, "licenses/LICENSE")
    assert "agentsight_rx/py.typed" in wheel.namelist()
    assert commit_of(clone / "agentsight_rx") == wheel.read("agentsight_rx/commit.txt").decode().strip()
    (page,) = (each for each in wheel.namelist() if each.endswith(".data/data/share/man/man1/agentsight-rx.1"))
    version = message_from_bytes(of_metadata(wheel, "METADATA"))["Version"]
    assert manual(version) == wheel.read(page).decode()


def test_the_readme_has_no_link_that_depends_on_its_place(wheel: zipfile.ZipFile, clone: Path) -> None:
    text = message_from_bytes(of_metadata(wheel, "METADATA")).get_payload(decode=True)
    assert isinstance(text, bytes)
    shown = text.decode().rstrip()
    assert LINK.search(re.sub(r"^```.*?^```$", "", shown, flags=re.MULTILINE | re.DOTALL)) is None
    urls = message_from_bytes(of_metadata(wheel, "METADATA")).get_all("Project-URL") or []
    repository = next((each.partition(", ")[2] for each in urls if each.startswith("Repository, ")), "")
    readme = (clone / "README.md").read_text()
    assert shown == index_readme(readme, repository=repository, commit=commit_of(clone / "agentsight_rx")).rstrip()


def test_what_the_sdist_brings_is_made_from_its_sources(unpacked: Path, wheel: zipfile.ZipFile) -> None:
    assert [] == [name for name, made in MADE.items() if not made.is_fresh(unpacked)]
    for each in (unpacked / "agentsight_rx" / "web" / "dist").rglob("*.*"):
        assert each.read_bytes() == wheel.read(each.relative_to(unpacked).as_posix())


def test_a_changed_source_is_in_the_page_of_the_next_wheel(unpacked: Path, tmp_path: Path) -> None:
    """The page is there, from the sources before the change."""
    page = unpacked / "frontend" / "index.html"
    page.write_text(page.read_text().replace("<title>", "<title>Changed "))
    builder = os.environ["AGENTSIGHT_BUILDER"]
    subprocess.run([builder, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(unpacked)], check=True, stdout=sys.stderr)
    (path,) = tmp_path.glob("*.whl")
    assert "<title>Changed " in zipfile.ZipFile(path).read("agentsight_rx/runtime/web/dist/index.html").decode()
