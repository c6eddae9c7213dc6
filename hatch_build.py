"""Build of a wheel or an sdist -> with the web page in it. An editable install builds nothing: scripts/page.sh does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """A wheel without its page would look whole and not be, so where the page is not there and cannot be built, this fails."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable" or (root / "agentsight_rx" / "web" / "dist" / "index.html").exists():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "the web page is not built and npm is not there: run scripts/page.sh, or install Node.js 20 or newer"
            )
        subprocess.run([npm, "ci", "--no-fund", "--no-audit"], cwd=root / "frontend", check=True)
        subprocess.run([npm, "run", "build"], cwd=root / "frontend", check=True)
