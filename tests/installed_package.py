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


def install_broken(place: Path, *, wants: str = "", **parts: str) -> None:
    """A package whose groups have one entry point each. `wants`: a requirement of it."""
    groups = {f"agentsight_rx.{group}": {"it": part} for group, part in parts.items()}
    describe(place, "agentsight-broken", "0.1", groups, wants=wants)


def describe(place: Path, name: str, version: str, groups: dict[str, dict[str, str]], *, wants: str = "") -> None:
    (place / "broken_parts.py").write_text(
        "from agentsight_rx import op, Machine\n\nNUMBER = 3\n\ndef function():\n    return 3\n\n"
        "class Nothing(Machine):\n    def feed(self, event, /):\n        return ()\n\n"
        "def nothing():\n    return op.each(Nothing, name='nothing')\n\n"
        "def bad_rows():\n    return op.change(lambda event: event.no_such_field, name='bad_rows')\n"
    )
    folder = place / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    for file, text in _metadata(name, version, groups, wants).items():
        (folder / file).write_text(text)


def _metadata(name: str, version: str, groups: dict[str, dict[str, str]], wants: str = "") -> dict[str, str]:
    lines = [
        line for group, parts in groups.items() for line in (f"[{group}]", *(f"{key} = {part}" for key, part in parts.items()))
    ]
    return {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + f"Requires-Dist: {wants}\n" * bool(wants),
        "entry_points.txt": "".join(f"{line}\n" for line in lines),
    }
