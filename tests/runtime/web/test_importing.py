"""The page's import: what is there before, its process, its end, and who is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.core.errors import UnwritableError
from agentsight_rx.runtime.web.api import Api
from agentsight_rx.runtime.web.importing import Imports
from agentsight_rx.runtime.web.recordings import StoredRecordings
from agentsight_rx.sources.session_files.files import Home
from tests.cli.test_past import home
from tests.runtime.web.test_api import PRICES, client

__all__ = ["home"]


class Served:
    """A page of what is imported into a home."""

    def __init__(self, home: Path) -> None:
        self.past = home / "past.lmdb"
        owner = os.getuid(), os.getgid()
        self.imports = Imports(lambda: self.past, Home(str(home), owner[0]), owner, is_kept=self.past.exists)
        recordings = StoredRecordings(lambda: [self.past] if self.past.exists() else [], lambda _: False)
        self.http = client(Api(recordings, PRICES, imports=self.imports))

    def get(self, path: str) -> Any:
        return self.http.get(f"/api/v1/{path}").json()

    def ended(self) -> Any:
        assert self.imports.reader is not None
        self.imports.reader.join()
        return self.get("past")


@pytest.fixture
def served(home: Path) -> Iterator[Served]:
    served = Served(home)
    yield served
    served.imports.close()


def test_before_the_button_names_and_sizes_are_known_and_nothing_is_written(served: Served, home: Path) -> None:
    found = served.get("past")
    assert "none" == found["state"]
    assert {"Claude Code": 1, "Codex CLI": 1, "Gemini CLI": 2} == {each["agent"]: each["files"] for each in found["there"]}
    (claude,) = (each for each in found["there"] if each["agent"] == "Claude Code")
    assert "~/.claude/projects" == claude["folder"]
    assert "deletes session files after 30 days" in claude["keeps"]
    assert "opencode" in found["absent"]
    assert "kept" not in found
    assert not served.past.exists()


def test_the_button_reads_all_and_the_list_has_them(served: Served) -> None:
    begun = served.http.post("/api/v1/past", json={"do": "start"}).json()
    assert begun["state"] in ("running", "done")
    done = served.ended()
    assert ("done", 4, True) == (done["state"], done["so_far"]["read_files"], done["kept"])
    rows = served.get("sessions")["sessions"]
    assert [(True, False)] * 3 == [(row["file"], row["recorded"]) for row in rows]


def test_a_fault_is_said(served: Served) -> None:
    served.past.write_text("this is no store")
    served.http.post("/api/v1/past", json={"do": "start"})
    found = served.ended()
    assert "failed" == found["state"]
    assert "past.lmdb" in found["so_far"]["error"]


def test_a_folder_that_cannot_be_made_is_said(home: Path) -> None:
    def nowhere() -> Path:
        raise UnwritableError("/nowhere cannot be made")

    imports = Imports(nowhere, Home(str(home), os.getuid()), (0, 0), is_kept=lambda: False)
    found = imports.do("start")
    assert ("failed", "/nowhere cannot be made") == (found.state, found.so_far.error)


def test_stopping_keeps_what_was_read_and_stopping_nothing_is_fine(served: Served) -> None:
    assert "none" == served.http.post("/api/v1/past", json={"do": "stop"}).json()["state"]
    served.http.post("/api/v1/past", json={"do": "start"})
    stopped = served.http.post("/api/v1/past", json={"do": "stop"}).json()
    assert stopped["state"] in ("stopped", "done")
    served.http.post("/api/v1/past", json={"do": "start"})
    assert "done" == served.ended()["state"], "it goes on from there"


def test_what_is_neither_start_nor_stop_is_refused(served: Served) -> None:
    assert 400 == served.http.post("/api/v1/past", json={"do": "dance"}).status_code
    assert 400 == served.http.post("/api/v1/past", json={}).status_code
    other = client(Api(StoredRecordings(list, lambda _: False), PRICES))
    assert {"state": "none", "kept": True} == other.get("/api/v1/past").json()
    assert 404 == other.post("/api/v1/past", json={"do": "start"}).status_code
    assert 401 == other.get("/api/v1/past", headers={"authorization": "Bearer x"}).status_code
