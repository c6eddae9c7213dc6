"""The example package, installed by pip beside this program; and packages with broken parts, as pip lays them out."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

__all__ = ["EXAMPLE", "install", "install_broken"]

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin_package"


def install(place: Path) -> None:
    """By pip, from a wheel that has what pyproject.toml says: a build of it would download hatchling."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir()
    wheel = place / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in sorted((EXAMPLE / "agentsight_parrot").glob("*.py")):
            archive.write(file, f"agentsight_parrot/{file.name}")
        for entry, text in _metadata(name, version, project["entry-points"]).items():
            archive.writestr(f"{folder}/{entry}", text)
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{folder}/RECORD", "".join(f"{each},,\n" for each in archive.namelist()))
    options = ("--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "--quiet", "--root-user-action=ignore")
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", str(place), str(wheel)], check=True)


def install_broken(place: Path, **parts: str) -> None:
    """A package whose groups have one entry point each."""
    (place / "broken_parts.py").write_text("NUMBER = 3\n\ndef function():\n    return 3\n")
    _describe(place, "agentsight-broken", "0.1", {f"agentsight_rx.{group}": {"it": part} for group, part in parts.items()})


def _describe(place: Path, name: str, version: str, groups: dict[str, dict[str, str]]) -> None:
    folder = place / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    for file, text in _metadata(name, version, groups).items():
        (folder / file).write_text(text)


def _metadata(name: str, version: str, groups: dict[str, dict[str, str]]) -> dict[str, str]:
    lines = [
        line for group, parts in groups.items() for line in (f"[{group}]", *(f"{key} = {part}" for key, part in parts.items()))
    ]
    return {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "entry_points.txt": "".join(f"{line}\n" for line in lines),
    }
