"""
Build of a wheel or an sdist -> with the web page, the man page, the name of the commit, and a README for a package index.

Page and man page are made from the sources of this moment (scripts/made.py). An sdist carries both, so a wheel that is built
from it needs neither Node.js nor the packages of the program. An editable install builds nothing: scripts/page.sh does.
"""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

MAN_PAGE = "share/man/man1/agentsight-rx.1"


class MadeHook(BuildHookInterface[Any]):
    """A wheel without its page would look whole and not be, so where the page must be built and cannot be, this fails."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        root = Path(self.root)
        return [need for each in _run("made.py", root)["MADE"].values() if not each.is_fresh(root) for need in each.needs(root)]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        made = _run("made.py", root)
        for each in made["MADE"].values():
            made["make_if_stale"](each, root)
        if self.target_name == "wheel":
            build_data["shared_data"][MAN_PAGE] = MAN_PAGE
        self._include_commit(root / "agentsight_rx", build_data)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def _include_commit(self, package: Path, build_data: dict[str, Any]) -> None:
        """A checkout knows its commit by its .git. An sdist has the file already; where neither is, the commit is unknown."""
        known = _version(package.parent)
        commit = known["commit_of"](package)
        if commit and not (package / known["COMMIT"]).exists():
            self._folder = tempfile.TemporaryDirectory()
            written = Path(self._folder.name) / known["COMMIT"]
            written.write_text(f"{commit}\n")
            build_data["force_include"][str(written)] = f"agentsight_rx/{known['COMMIT']}"


class ReadmeHook(MetadataHookInterface):
    """A package index shows the README far from the files that it links to."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        root = Path(self.root)
        text = _run("index_readme.py", root)["index_readme"](
            (root / "README.md").read_text(),
            repository=metadata.get("urls", {}).get("Repository", ""),
            commit=_version(root)["commit_of"](root / "agentsight_rx"),
        )
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def _run(name: str, root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / "scripts" / name))


def _version(root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / "agentsight_rx" / "cli" / "program" / "version.py"))
