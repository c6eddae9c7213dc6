"""A session -> every answer that the page asks for without a server, by path: what a file with all in it embeds."""

from __future__ import annotations

from urllib.parse import quote

from .answers import answer
from .picture import Picture
from .rail import rail_of
from .tables import KINDS

__all__ = ["embedded"]

_TURNS_MOST = 500
_ROWS_MOST = 500


def embedded(picture: Picture, recording: str, session: str, /, *, bodies: bool = True) -> dict[str, object]:
    """
    The session with its first 500 turns, and as many rows of each tab and events; with `bodies` also each of these calls whole.
    Raises PageError for a session that is not in the recording.
    """
    base = f"r/{quote(recording, safe='')}"
    here = f"session/{quote(session, safe='')}"
    rail = {
        "sessions": [row for row in rail_of(picture, recording) if row.id == session],
        "next": "",
        "recordings": 1,
        "unreadable": [],
    }
    found: dict[str, object] = {"sessions": rail}

    def put(path: str, **given: str) -> object:
        found[f"{base}/{path}"] = value = answer(picture, recording, path, given)
        return value

    put(here)
    put(f"{here}/turns", count=str(_TURNS_MOST))
    for kind in KINDS:
        put(f"{here}/{kind}", count=str(_ROWS_MOST))
    put(f"{here}/timeline", width="1600")
    found[f"{base}/session/-/events"] = put(f"{here}/events", count=str(_ROWS_MOST))
    put("health")
    for call in picture.work(session).calls[:_TURNS_MOST] if bodies else ():
        put(f"call/{quote(call.id, safe='')}")
    return found
