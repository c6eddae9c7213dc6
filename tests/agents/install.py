"""
The lock files beside this one -> the agents and clients that they name, below .setup/agents.

npm packages: `package.json` and `package-lock.json`. Python packages: `requirements*.txt`, each in a directory of its own. Go
programs: built of programs/*.go. What is there already stays, as long as the files that it was made of are unchanged.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GO_BUILDS", "INSTALLED", "NPM", "PARTS", "PROGRAMS", "PYTHON", "Part", "install", "is_installed"]

PYTHON = "/usr/bin/python3"  # whose packages are installed, too
HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
CCUSAGE = HERE / "ccusage"  # apart, since its test needs nothing else
ARM64 = HERE / "arm64"  # for another machine than most that run this
_FOR_ARM64 = "--platform", "manylinux_2_28_aarch64", "--only-binary", ":all:"  # of pip
INSTALLED = HERE.parents[1] / ".setup" / "agents"
NPM = INSTALLED / "npm" / "node_modules"
GO_BUILDS: dict[str, tuple[str, ...]] = {
    "go": (),
    "go-stripped": ("-ldflags", "-s -w"),
    "go-pie": ("-buildmode=pie",),
    "go-pie-stripped": ("-buildmode=pie", "-ldflags", "-s -w"),
}


@dataclass(frozen=True)
class Part:
    """What is installed together: `name` is its directory, `sources` the files that it is made of."""

    name: str
    sources: tuple[Path, ...]
    make: Callable[[Path], None]

    @property
    def directory(self) -> Path:
        return INSTALLED / self.name

    @property
    def stamp(self) -> str:
        return hashlib.sha256(b"\0".join(source.read_bytes() for source in self.sources)).hexdigest()


def install(names: Sequence[str], *, say: Callable[[str], None]) -> None:
    """Install the parts with these names that are missing. CalledProcessError: a package manager failed."""
    for name in names:
        part = PARTS[name]
        if is_installed(part):
            continue
        say(f"installing {name} in {part.directory} …")
        shutil.rmtree(part.directory, ignore_errors=True)
        part.directory.mkdir(parents=True)
        part.make(part.directory)
        (part.directory / "stamp").write_text(part.stamp)


def is_installed(part: Part) -> bool:
    stamp = part.directory / "stamp"
    return stamp.exists() and stamp.read_text() == part.stamp


def _npm(source: Path, *options: str) -> Callable[[Path], None]:
    return lambda directory: _npm_install(source, directory, *options)


def _npm_install(source: Path, directory: Path, *options: str) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, directory)
    npm = shutil.which("npm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]))
    if npm is None:
        raise FileNotFoundError("the program npm is not installed")
    _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *options, cwd=directory)


def _pip(requirements: str, *options: str) -> Callable[[Path], None]:
    return lambda directory: _pip_install(directory, requirements, "install", "--target", str(directory), *options)


def _environment(requirements: str) -> Callable[[Path], None]:
    def make(directory: Path) -> None:
        _run(PYTHON, "-I", "-m", "venv", "--without-pip", str(directory), cwd=directory)
        _pip_install(directory, requirements, "--python", str(directory / "bin" / "python"), "install")

    return make


def _pip_install(directory: Path, requirements: str, *words: str) -> None:
    pip = (sys.executable, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check")
    _run(*pip, *words, "--no-deps", "--requirement", str(HERE / requirements), cwd=directory)


def _go(**more: str) -> Callable[[Path], None]:
    return lambda directory: _go_build(directory, more)


def _go_build(directory: Path, more: dict[str, str]) -> None:
    environment = {**more, "GOTOOLCHAIN": "local", "GOPROXY": "off", "CGO_ENABLED": "0", "GOCACHE": str(directory / "cache")}
    for name, flags in GO_BUILDS.items():
        _run("go", "build", *flags, "-o", str(directory / name), str(PROGRAMS / "calls.go"), cwd=directory, env=environment)
    shutil.rmtree(directory / "cache")


def _run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, cwd=cwd, env=os.environ | (env or {}), stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)


PARTS = {
    part.name: part
    for part in (
        Part("npm", (HERE / "package.json", HERE / "package-lock.json"), _npm(HERE)),
        Part("ccusage", (CCUSAGE / "package.json", CCUSAGE / "package-lock.json"), _npm(CCUSAGE)),
        Part("python", (HERE / "requirements.txt",), _pip("requirements.txt")),
        Part("vibe", (HERE / "requirements-vibe.txt",), _environment("requirements-vibe.txt")),
        Part("ring", (HERE / "requirements-ring.txt",), _pip("requirements-ring.txt")),
        Part("go", (PROGRAMS / "calls.go",), _go()),
        Part("arm64", (ARM64 / "package.json", ARM64 / "package-lock.json"), _npm(ARM64, "--force")),
        Part("ring-arm64", (HERE / "requirements-ring.txt",), _pip("requirements-ring.txt", *_FOR_ARM64)),
        Part("go-arm64", (PROGRAMS / "calls.go",), _go(GOARCH="arm64")),
    )
}
