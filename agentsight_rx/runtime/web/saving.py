"""
A recording on the page -> the file that `agentsight-rx report export` makes of it.

Another process makes it: a large file takes seconds, and the recorder that serves the page is not kept from its work.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from ...core.errors import StoreError
from ...view.page import PageError
from .recordings import Recordings

FORMS = ("html", "atif", "csv", "parquet", "har", "otlp", "perfetto", "jsonl", "snapshot")
_OF_SESSION = ("html", "atif", "csv", "parquet")
_TABLES = ("csv", "parquet")
_ERROR = "Error: "


class Saving:
    """One file at a time."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._lock = Lock()

    def save(self, recording: str, given: Mapping[str, str], folder: Path, /) -> Path:
        """
        The file in `folder`. `given` has its `format`; of one that is about a session, or a table, its `session` and `table`.
        Raises PageError.
        """
        form = given.get("format", "")
        if form not in FORMS:
            raise PageError(f"format={form[:40]!r} is no format; the formats are {', '.join(FORMS)}", 400)
        made = folder / "made"
        words = ["--db", self._path(recording), "--format", form, "--output", str(made)]
        words += [f"--session={given['session']}"] if form in _OF_SESSION and given.get("session", "-") != "-" else []
        words += [f"--table={given['table']}"] if form in _TABLES and "table" in given else []
        with self._lock:
            done = subprocess.run(
                [sys.executable, "-m", "agentsight_rx", "report", "export", *words],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
            )  # fmt: skip
        if done.returncode:
            raise PageError(_said(done.stderr), 422)
        return made

    def _path(self, recording: str) -> str:
        try:
            path = self._recordings.opened(recording).path
        except (KeyError, StoreError) as error:
            raise PageError(f"the recording {recording[:80]} cannot be read: {error}") from error
        if not path:
            raise PageError("this run has no file of a recording: `record` and `trace --db FILE` make one", 409)
        return path


def _said(stderr: str) -> str:
    """Its first line of an error, as that process worded it."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    return lines[0].removeprefix(_ERROR) if lines else "the file could not be made"
