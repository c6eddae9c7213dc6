"""Answers go out as gzip where the client takes it and it is worth the time."""

from __future__ import annotations

import json
from gzip import decompress
from pathlib import Path

import pytest
from starlette.requests import Request

from agentsight_rx.runtime.web.api import answered
from agentsight_rx.runtime.web.app import compressed
from tests.runtime.web.test_api import TOKEN, Shelf
from tests.view.page.story import SESSION, parcel

LONG = json.dumps({"rows": ["/home/ada/code/parcel"] * 200}).encode()


def asking(accepted: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept-encoding", accepted.encode())]})


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1, X-GZip;q=0.5", True),
        ("gzip;q=0.001", True),
        ("gzip;q=0", False),
        ("br, gzip ; q = 0.000", False),
        ("br", False),
        ("", False),
    ],
)
def test_a_client_gets_what_it_takes(accepted: str, *, packed: bool) -> None:
    answer = answered(LONG, asking(accepted))
    assert (answer.headers.get("content-encoding") == "gzip") == packed
    assert LONG == (decompress(bytes(answer.body)) if packed else answer.body)
    assert ("accept-encoding", len(answer.body)) == (answer.headers["vary"], int(answer.headers["content-length"]))


@pytest.mark.parametrize(("size", "packed"), [(0, False), (1023, False), (1024, True)])
def test_a_short_answer_is_not_compressed(size: int, *, packed: bool) -> None:
    assert packed == ("content-encoding" in answered(b"x" * size, asking("gzip")).headers)


def test_a_file_of_the_page_is_compressed() -> None:
    assert compressed(LONG) is compressed(bytes(bytearray(LONG)))
    assert LONG == decompress(compressed(LONG))


def test_no_answer_has_the_key_of_the_page(tmp_path: Path) -> None:
    """The length of what is compressed beside text of others shows, piece by piece, what it shares with that text."""
    shelf = Shelf(tmp_path)
    shelf.put("parcel", parcel())
    try:
        cards = shelf.get(f"r/parcel/session/{SESSION}/turns?count=100")["cards"]
        call, tool = cards[0]["call"], cards[0]["tools"][0]["id"]
        tabs = (
            "turns",
            "processes",
            "files",
            "network",
            "mcp",
            "http",
            "events",
            "timeline",
            "latency",
            "failures",
            "context",
            "alerts",
        )
        paths = [
            *("info", "recordings", "sessions", "sessions/sums", "machine", "alerts", "past", "search?q=pytest", "snapshot"),
            *(f"r/parcel/{path}" for path in ("health", f"call/{call}", f"raw/{call}", f"raw/{call}/request", f"tool/{tool}")),
            *(f"r/parcel/session/{SESSION}{tab}" for tab in ("", "/context/1", *(f"/{each}" for each in tabs))),
            *(f"r/parcel/session/{SESSION}/{wrong}" for wrong in ("nothing", "context/77")),
        ]
        codings: dict[bool, set[str | None]] = {False: set(), True: set()}
        for path in paths:
            answer = shelf.http.get(f"/api/v1/{path}", headers={"Accept-Encoding": "gzip"})
            assert (200 if path not in paths[-2:] else 404) == answer.status_code, path
            codings[len(answer.content) >= 1024].add(answer.headers.get("content-encoding"))
            assert TOKEN not in answer.text, path
            assert TOKEN not in str(answer.headers), path
        assert {False: {None}, True: {"gzip"}} == codings
    finally:
        shelf.close()
