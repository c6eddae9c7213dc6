"""The example package, installed beside this program as pip lays it out: its folder, and the metadata of its pyproject.toml."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

__all__ = ["EXAMPLE", "install", "install_broken"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin_package"


def install(place: Path) -> None:
    """Without a network, and without the build that pip makes of it: ./test.sh --release builds it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "agentsight_parrot", place / "agentsight_parrot")
    sections = {
        group: "\n".join(f"{name} = {part}" for name, part in parts.items()) for group, parts in project["entry-points"].items()
    }
    _describe(place, project["name"], project["version"], sections)


def install_broken(place: Path, **parts: str) -> None:
    """A package whose groups have one entry point each."""
    (place / "broken_parts.py").write_text("NUMBER = 3\n\ndef function():\n    return 3\n")
    _describe(place, "agentsight-broken", "0.1", {f"agentsight_rx.{group}": f"it = {part}" for group, part in parts.items()})


def _describe(place: Path, name: str, version: str, sections: dict[str, str]) -> None:
    folder = place / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "entry_points.txt").write_text("".join(f"[{group}]\n{parts}\n" for group, parts in sections.items()))
