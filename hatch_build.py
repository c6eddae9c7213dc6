"""
Build of a wheel or an sdist -> with the web page and the name of the commit in it.

An editable install builds nothing: scripts/page.sh does.
"""

from __future__ import annotations

import runpy
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """A wheel without its page would look whole and not be, so where the page is not there and cannot be built, this fails."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version != "editable":
            self._include_commit(root / "agentsight_rx", build_data)
        if version == "editable" or (root / "agentsight_rx" / "web" / "dist" / "index.html").exists():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "the web page is not built and npm is not there: run scripts/page.sh, or install Node.js 20 or newer"
            )
        subprocess.run([npm, "ci", "--no-fund", "--no-audit"], cwd=root / "frontend", check=True)
        subprocess.run([npm, "run", "build"], cwd=root / "frontend", check=True)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def _include_commit(self, package: Path, build_data: dict[str, Any]) -> None:
        """A checkout knows its commit by its .git. An sdist has the file already; where neither is, the commit is unknown."""
        known = runpy.run_path(str(package / "cli" / "version.py"))
        commit = known["commit_of"](package)
        if commit and not (package / known["COMMIT"]).exists():
            self._folder = tempfile.TemporaryDirectory()
            written = Path(self._folder.name) / known["COMMIT"]
            written.write_text(f"{commit}\n")
            build_data["force_include"][str(written)] = f"agentsight_rx/{known['COMMIT']}"
