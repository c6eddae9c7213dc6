"""A recording on the page -> a file of it, which another process of this program makes."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsight_rx.runtime.web import saving
from agentsight_rx.view.exports.csv_tables import CSV_TABLES
from agentsight_rx.view.exports.tables import TABLES
from tests.runtime.web.test_api import Shelf
from tests.view.page.story import SESSION, parcel

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.close()


def test_a_file_is_made_of_a_session_or_of_all(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shelf.put("parcel", parcel())
    table = shelf.http.get(f"/api/v1/r/parcel/export?format=csv&session={SESSION}&table=tools")
    assert (table.status_code, table.headers["content-type"]) == (200, "application/octet-stream")
    assert table.text.partition("\r\n")[0].startswith("id,")
    assert int(table.headers["content-length"]) == len(table.content)
    log = shelf.http.get("/api/v1/r/parcel/export?format=har&session=-&table=ignored")
    assert json.loads(log.content)["log"]["entries"]
    assert not list(tmp_path.glob("agentsight-rx-*")), "what was made is removed behind the answer"


def test_what_cannot_be_made_is_said(shelf: Shelf) -> None:
    shelf.put("parcel", parcel())
    assert "format='exe' is no format; the formats are html, " in shelf.get("r/parcel/export?format=exe", 400)["error"]
    assert shelf.get("r/parcel/export?format=csv&session=-x", 422)["error"].startswith("no session fits --session -x")
    assert "--table" in shelf.get("r/parcel/export?format=csv&table=--help", 422)["error"]
    assert "cannot be read" in shelf.get("r/other/export?format=csv", 404)["error"]


def test_the_page_offers_what_the_server_makes() -> None:
    page = (ROOT / "frontend/src/ui/save.tsx").read_text("utf-8")
    offered = re.findall(r'\{ id: "(\w+)"', page)
    tables = [tuple(re.findall(r'"(\w+)"', each)) for each in re.findall(r"tables: \[(.*?)\]", page)]
    assert set(offered) | {"snapshot"} == set(saving.FORMS)
    assert tables == [CSV_TABLES, tuple(TABLES)]
