"""Every drawn view of the page: its name and its address, for the tests that walk through all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from agentsight_rx.runtime.web import StoredPage
from tests.browser.browsing import TABS, Shown
from tests.live.capture import PATIENCE_S

__all__ = ["OVERALL", "THEMES", "WIDTHS", "go_to", "session_views", "sessions_of"]

WIDTHS = (390, 768, 1280, 1920)
THEMES = ("light", "dark")
OVERALL = {
    "home": "/home",
    "sessions": "/sessions",
    "all-alerts": "/alerts",
    "find": "/sessions?find=the",
    "keys": "/sessions?keys=",
}


def asked(served: StoredPage, path: str) -> Any:
    """What the page of this server gets."""
    root, _, token = served.url.partition("/#token=")
    with urlopen(Request(f"{root}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})) as answer:
        return json.load(answer)


def sessions_of(served: StoredPage) -> list[tuple[str, str]]:
    """The recording and the id of each session, once all are read: each question reads a few more."""
    while (found := asked(served, "sessions?limit=50")).get("left"):
        pass
    return [(row["recording"], row["id"]) for row in found["sessions"]]


def session_views(served: StoredPage, recording: str, session: str) -> Iterator[tuple[str, str]]:
    """The name and the address of each tab and each overlay of a session."""
    place = f"/s/{quote(recording, safe='')}/{quote(session, safe='')}"
    head = asked(served, f"r/{quote(recording, safe='')}/session/{quote(session, safe='')}")
    counts: dict[str, int] = head.get("counts", {})
    yield from ((tab, f"{place}/{tab}") for tab in TABS)
    yield from ((tab, f"{place}/{tab}") for tab in ("context", "alerts") if counts.get(tab))
    strip: dict[str, Any] = head.get("strip") or {}
    calls: Sequence[str] = strip.get("call", ())
    if calls:
        middle = quote(calls[len(calls) // 2], safe="")
        overlays = {"call": f"call={middle}", "raw": f"raw={middle}", "diff": f"diff=..{middle}", "turn": "turn=2"}
        yield from ((name, f"{place}/conversation?{query}") for name, query in overlays.items())


def go_to(page: Shown, address: str) -> None:
    """Opens a view and waits until nothing is loaded any more."""
    page.page.goto(f"{page.root}{address}")
    page.page.locator("h1").first.wait_for(state="attached", timeout=PATIENCE_S * 1000)
    if tab := re.search(r"/s/.+/(\w+)(?:\?|$)", address):
        page.page.locator(f"#tab-{tab[1]}").wait_for(state="attached", timeout=PATIENCE_S * 1000)
    page.settled()
    page.drawn()
