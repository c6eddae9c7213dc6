"""A path below a recording, its parameters -> what the page asked for: of a server, or of a file with all in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from .alerts import alert_of, alerts_of
from .bodies import body_of_call, body_of_tool, diff_of
from .contexts import contexts_of, request_of
from .event_log import RuleError, event_of, lines_of
from .head import head_of
from .lanes import lanes_of
from .picture import Picture
from .rail import rail_of
from .stages import health_of
from .tables import KINDS, table_of
from .turns import turns_of

__all__ = ["PageError", "answer"]

_COUNT_MOST = 500


class PageError(ValueError):
    """The requested thing does not exist, or cannot be read; `status` is the status of HTTP."""

    def __init__(self, text: str, status: int = 404) -> None:
        super().__init__(text)
        self.status = status


def answer(picture: Picture, recording: str, path: str, given: Mapping[str, str], /) -> object:
    """
    `path` is one of `sessions`, `session/ID`, `session/ID/turns`, `…/processes`, `…/files`, `…/network`, `…/mcp`, `…/http`,
    `…/timeline`, `…/events`, `…/alerts`, `…/alerts/ALERT`, `…/context`, `…/context/TURN`, `health`, `call/ID`, `tool/ID`,
    `diff`, `event/AT`. Raises PageError.
    """
    asked = _Asked(picture, recording, given)
    first, *rest = map(unquote, path.strip("/").split("/"))
    try:
        match first, rest:
            case "sessions", []:
                return list(rail_of(picture, recording))
            case "health", []:
                return health_of(picture)
            case "diff", []:
                return diff_of(picture, asked.text("a"), asked.text("b"))
            case "call", [id]:
                start, count = asked.number("from", 0), asked.number("count", 0)
                return body_of_call(picture, id, part=asked.text("part") or "whole", start=start, count=count)
            case "tool", [id]:
                return body_of_tool(picture, id, part=asked.text("part") or "result", offset=asked.number("offset", 0))
            case "event", [at]:
                return event_of(picture, at)
            case "session", [id]:
                return head_of(picture, id, recording=recording, from_turn=asked.number("from", 0))
            case "session", [id, "context"]:
                return contexts_of(picture, id, of=asked.text("of"))
            case "session", [id, "context", turn] if turn.isdecimal() and len(turn) < 10:
                return request_of(
                    picture,
                    id,
                    int(turn),
                    of=asked.text("of"),
                    row=asked.text("row"),
                    origin=asked.text("origin"),
                    opened=bool(asked.text("opened")),
                )
            case "session", [id, "alerts", name]:
                return alert_of(picture, id, name, recording=recording)
            case "session", [id, tab]:
                return _tab(asked, id, tab)
            case _:
                pass
    except KeyError as error:
        raise PageError(f"{str(error.args[0])[:120]} is not in this recording") from error
    except RuleError as error:
        raise PageError(str(error), 400) from error
    raise PageError("nothing is at this path")


class _Asked:
    def __init__(self, picture: Picture, recording: str, given: Mapping[str, str]) -> None:
        self.picture = picture
        self.recording = recording
        self._given = given

    def text(self, name: str) -> str:
        return self._given.get(name, "")

    def number(self, name: str, otherwise: int, *, most: int = 1 << 53) -> int:
        given = self._given.get(name, "")
        if given and not (given.isascii() and given.isdecimal() and len(given) < 17):
            raise PageError(f"{name}={given[:40]!r} is not a number", 400)
        return min(int(given), most) if given else otherwise

    def part(self) -> tuple[int, int] | None:
        start, end = self.number("from", 0), self.number("to", 0)
        return (start, end) if end > start else None


def _tab(asked: _Asked, id: str, tab: str) -> object:
    picture = asked.picture
    count = asked.number("count", 200, most=_COUNT_MOST)
    start = asked.number("since", 0) if tab != "events" else 0
    others: dict[str, Callable[[], object]] = {
        "alerts": lambda: alerts_of(picture, id, start=start, count=count),
        "turns": lambda: turns_of(picture, id, start=start, count=count, by_cost=asked.text("order") == "cost"),
        "timeline": lambda: lanes_of(picture, id, width=asked.number("width", 1200, most=8000), part=asked.part()),
        "events": lambda: lines_of(picture, id, rule=asked.text("rule"), start=asked.text("since"), count=count),
    }
    if tab in others:
        return others[tab]()
    if tab in KINDS:
        return table_of(picture, id, tab, start=start, count=count, words=asked.text("q"))
    raise PageError("nothing is at this path")
