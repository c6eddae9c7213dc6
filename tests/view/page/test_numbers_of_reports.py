"""
Every number that the page gets is that of the reports, in recordings of five kinds. What a view has is made here again from
`report … --json` alone, and each number of the answer is looked up in it. A number that no report has stands in a list.

Longer than 300 lines because each view of the page is a function beside the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import quote

import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.recording.deciding import Deciding
from agentsight_rx.runtime.recording.price_file import load_prices
from agentsight_rx.runtime.recording.seen_file import SeenFile
from agentsight_rx.runtime.web.api import Api
from agentsight_rx.runtime.web.recordings import StoredRecordings
from tests.cli.report.asking import values
from tests.runtime.web.test_api import client
from tests.view.page.recordings import RECORDINGS

# Numbers that are no figures of a session, or that the page makes for drawing: none of them is in a report.
NOT_IN_REPORTS = {
    "head.version": "changes of the store",
    "head.strip.flags": "marks of a bar, as bits",
    "head.alerts.state": "a place in a list of states",
    "rail.days": "sums by day; the sums of all are compared",
    "sums.values": "a year of days; the sums of all are compared",
    "sums.counts": "a year of days",
    "sums.ran": "a place among these days",
    "sums.cut": "a place among these days",
    "timeline.lanes.flags": "marks of a span, as bits",
    "turns.cards.words": "words of the reasoning, of which the page shows the begin",
    "context.flags": "marks of a turn, as bits",
    "health.stages": "the ledger; its missing things are compared",
}
_DIGITS = 9  # behind the point of a cost that are equal


class Both:
    """A recording, asked by the page and by the reports."""

    def __init__(self, name: str, path: Path, prices: Prices) -> None:
        self.name, self.path = name, path
        recordings = StoredRecordings(lambda: [path], lambda _: False)
        deciding = Deciding(SeenFile(path.parent / "seen.jsonl"))
        self._http = client(Api(recordings, prices, deciding=deciding))
        self._said: dict[tuple[str, ...], list[Any]] = {}
        self.close = recordings.close

    def get(self, path: str) -> Any:
        answer = self._http.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def of(self, session: str, rest: str = "") -> Any:
        return self.get(f"r/{self.name}/session/{quote(session, safe='')}{rest}")

    def said(self, *words: str) -> list[Any]:
        """The report, asked once; a report opens the store itself, so the page lets go of it."""
        if words not in self._said:
            self.close()
            self._said[words] = values(self.path, *words)
        return self._said[words]

    def report(self, session: str, *words: str) -> list[Any]:
        return self.said(*words, "--session", session)


@pytest.fixture(scope="module", params=RECORDINGS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Both]:
    name = request.param
    found = Both(name, RECORDINGS[name](tmp_path_factory.mktemp(name) / f"{name}.lmdb"), load_prices(None))
    yield found
    found.close()


# -- what reports say, in the shape of the page ------------------------------------------------------------------------------


def asked_tokens(row: Mapping[str, Any]) -> int:
    return sum(row[f"{name}_tokens"] for name in ("input", "cache_read", "cache_creation"))


def covered(spans: Sequence[tuple[int, int]]) -> int:
    """The time that at least one of them covers."""
    found, until = 0, 0
    for begin, end in sorted(spans):
        found += max(0, end - max(begin, until))
        until = max(until, end)
    return found


def has_failed(tool: Mapping[str, Any]) -> bool:
    return bool(tool["status"] == "failed" or tool["exit_code"] or tool["signal"])


def last_tries(calls: Iterable[Any]) -> list[Any]:
    """Of equal requests behind a failure, which are one turn, the last: in the order of their begin."""
    found = {(call["turn"], call["own_turn"]): call for call in calls}
    return sorted(found.values(), key=lambda call: call["start_timestamp_ms"])


class Said:
    """A session, as reports have it."""

    def __init__(self, both: Both, id: str) -> None:
        def ask(*words: str) -> list[Any]:
            return both.report(id, *words)

        self.ask = ask
        (self.summary,) = ask("summary")
        self.row = next(each for each in both.said("sessions") if each["id"] == id)
        self.calls, self.tools, self.alerts = ask("calls"), ask("tools"), ask("alerts")
        self.main = last_tries(call for call in self.calls if call["agent_id"] is None)
        self.turns = {call["id"]: call["turn"] for call in self.calls}
        (self.health,) = ask("health")
        self.files, self.processes = ask("files"), ask("processes")

    @property
    def context(self) -> Mapping[str, Any] | None:
        found = self.ask("context")
        return found[0] if found else None

    def left(self) -> float | None:
        last: Any = next((call for call in reversed(self.main) if call["total_tokens"]), None)
        window: Any = self.context["window"] if self.context else None
        return round(1 - asked_tokens(last) / window, 6) if last and window else None


def head(said: Said) -> Any:
    summary, calls, main, tools = said.summary, said.calls, said.main, said.tools
    spans = [(call["start_timestamp_ms"], call["end_timestamp_ms"]) for call in calls if call["end_timestamp_ms"]]
    all_spans = [*spans, *((tool["timestamp_ms"], tool["end_timestamp_ms"]) for tool in tools if tool["end_timestamp_ms"])]
    start, end = summary["started_ms"], summary["started_ms"] + summary["duration_ms"]
    durations = sorted(tool["duration_ms"] for tool in tools if tool["duration_ms"] is not None)
    firsts = sorted(call["time_to_first_chunk_ms"] for call in calls if call["time_to_first_chunk_ms"] is not None)
    last = next((call for call in reversed(main) if call["total_tokens"]), None)
    return {
        "start_ms": start,
        "end_ms": end,
        "pid": summary["session"]["pid"],
        "turns": len(main),
        "window": said.context["window"] if said.context else ANY,
        "lanes": [lane(said, key) for key in agents_of(said)],
        "whole": {"missing": said.health["missing"], **agreement(said.health), "records": ANY},
        "strip": {
            "n": [call["turn"] for call in main],
            "start": [call["start_timestamp_ms"] - start for call in main],
            "ms": [lasted(call) or 0 for call in main],
            "context": list(map(asked_tokens, main)),
            "cached": [call["cache_read_tokens"] for call in main],
        },
        "numbers": {
            "calls": summary["calls"],
            "sub_calls": len([call for call in calls if call["agent_id"]]),
            "failed_calls": summary["failed_calls"],
            "tokens_in": summary["asked_tokens"],
            "cached": summary["cached_tokens"],
            "tokens_out": summary["output_tokens"],
            "reasoning": summary["session"]["reasoning_tokens"],
            "cost": summary["cost"],
            "context": asked_tokens(last) if last else 0,
            "left": said.left(),
            "model_ms": covered(spans),
            "tools_ms": covered(all_spans) - covered(spans),
            "idle_ms": max(0, end - start - covered(all_spans)),
            "tools": summary["tools"],
            "failed_tools": summary["failed_tools"],
            "first_word": spread(firsts),
            "a_tool": spread(durations),
        },
        "reads": Each({"pid": AnyOf({row["pid"] for row in [*said.health["tls_uses"], *said.health["blind_spots"]]})}),
        "verdict": ANY,  # compared as words, below
        "signals": ANY,
        "counts": {
            "processes": len(said.processes),
            "files": len({each["path"] for each in said.files}),
            "mcp": len(said.ask("mcp")),
            "http": len(said.ask("http")),
            "network": len([each for each in said.ask("network") if each["kind"] != "unread"]),
            "alerts": len(said.alerts),
            "context": len([call for call in calls if call["messages"] and not call["aside"]]),
            "log": ANY,  # of all sessions, compared with `report export`
        },
        "alerts": {
            "n": [alert["number"] for alert in said.alerts],
            "turn": [alert["turn"] for alert in said.alerts],
        },
    }


def agents_of(said: Said) -> list[str]:
    """The sub-agents, in the order in which they began."""
    return [*dict.fromkeys(call["agent_id"] for call in said.calls if call["agent_id"])]


def lane(said: Said, key: str) -> Any:
    mine = thread(said, key)
    return {
        "id": key,
        "turn": mine[0]["turn"],
        "turns": len(mine),
        "ms": lasted_all(mine),
        "context": list(map(asked_tokens, mine)),
        "cached": [call["cache_read_tokens"] for call in mine],
        "cost": cost_of(mine),
        "flags": ANY,  # marks of a bar, as bits
    }


def thread(said: Said, key: str) -> list[Any]:
    return last_tries(call for call in said.calls if call["agent_id"] == key)


def lasted_all(calls: Sequence[Mapping[str, Any]]) -> int:
    end = max(call["end_timestamp_ms"] or call["start_timestamp_ms"] for call in calls)
    return int(end - calls[0]["start_timestamp_ms"])


def cost_of(calls: Sequence[Mapping[str, Any]]) -> float | None:
    costs = [call["cost_usd"] for call in calls if call["cost_usd"] is not None]
    return round(sum(costs), 9) if costs else None


def agreement(health: Mapping[str, Any]) -> dict[str, Any]:
    found: Mapping[str, Any] = health["agreement"] or {}
    return {name: found.get(name) for name in ("compared", "found")}


def lasted(call: Mapping[str, Any]) -> int | None:
    return call["end_timestamp_ms"] - call["start_timestamp_ms"] if call["end_timestamp_ms"] else None


def spread(values: Sequence[int]) -> dict[str, int]:
    """As the nearest rank has it; with less than 20, the longest stands for the slow end."""
    if not values:
        return {}
    count = len(values)
    slow = values[-1] if count < 20 else values[-(-count * 95 // 100) - 1]
    return {"count": count, "p50": values[-(-count // 2) - 1], "p95": slow}


def many(alert: Mapping[str, Any]) -> int | None:
    """How often it happened, which the page says where it was more than once."""
    return alert["count"] if alert["count"] != 1 else None


def turns(said: Said) -> Any:
    tools: dict[str, list[Any]] = {}
    for tool in said.tools:
        tools.setdefault(tool["llm_call_id"], []).append(tool)
    programs = {row["pid"]: row for row in said.processes}
    alerts = {alert["number"]: alert for alert in said.alerts}

    def tries(call: Mapping[str, Any]) -> Iterator[Any]:
        of_turn = [each for each in said.calls if all(each[of] == call[of] for of in ("agent_id", "turn", "own_turn"))]
        for each, after in zip(of_turn, [*of_turn[1:], None], strict=True):
            yield {
                "call": each["id"],
                "status": each["status_code"],
                "ms": lasted(each),
                "waited_ms": after["start_timestamp_ms"] - each["end_timestamp_ms"] if after else None,
                "retry_after_s": each["retry_after_s"],
            }

    def card(call: Mapping[str, Any]) -> Any:
        return {
            "call": call["id"],
            "n": call["own_turn"] if call["agent_id"] else call["turn"],
            "start_ms": call["start_timestamp_ms"],
            "ms": lasted(call),
            "first_ms": call["time_to_first_chunk_ms"],
            "tokens_in": asked_tokens(call),
            "cached": call["cache_read_tokens"],
            "out": call["output_tokens"],
            "cost": call["cost_usd"],
            "asked": ANY,
            "gap": ANY,
            "tools": [tool_card(tool) for tool in tools.get(call["id"], ())],
            "tries": [*tries(call)],
            "alerts": [{"n": n, "count": many(alert)} for n, alert in alerts.items()],
        }

    def tool_card(tool: Mapping[str, Any]) -> Any:
        mine = [row for row in said.processes if row["tool_call_id"] == tool["id"]]
        return {
            "id": tool["id"],
            "sure": tool["confidence"] if tool["link"] else 1.0,
            "gap": ANY,
            "start_ms": tool["start_timestamp_ms"] or tool["timestamp_ms"],
            "ms": tool["duration_ms"],
            "pause_ms": tool["pause_ms"],
            "repeat": tool["repeat"],
            "cpu_ms": sum(row["cpu_ms"] or 0 for row in mine),
            "memory": max((row["peak_bytes"] or 0 for row in mine), default=0),
            "more_programs": ANY,
            "more_files": ANY,
            "read": ANY,
            "programs": [
                {
                    "pid": pid,
                    "ms": row["duration_ms"],
                    "cpu_ms": row["cpu_ms"],
                    "memory": row["peak_bytes"],
                    "start_ms": row["start_timestamp_ms"],
                    "depth": ANY,
                }
                for pid, row in programs.items()
            ],
        }

    def sub(key: str) -> Any:
        mine = thread(said, key)
        asker = next((tool for tool in said.tools if tool["id"] == mine[0]["agent_tool"]), None)
        return {
            "id": key,
            "turns": len(mine),
            "start_ms": mine[0]["start_timestamp_ms"],
            "ms": lasted_all(mine),
            "tokens_in": sum(map(asked_tokens, mine)),
            "cost": cost_of(mine),
            "asked_in": said.turns[asker["llm_call_id"]] if asker else 0,
            "answered_in": said.turns.get(asker["result_call_id"], 0) if asker else 0,
            "cards": [{**card(call), "subs": subs} for call in mine],
        }

    subs: list[Any] = []  # any may stand below any other
    subs += [sub(key) for key in agents_of(said)]
    return {"start": 0, "total": len(said.main), "cards": [{**card(call), "subs": subs} for call in said.main]}


def processes(said: Said) -> Any:
    rows = [
        {
            "id": row["id"],
            "pid": row["pid"],
            "depth": row["depth"],
            "start_ms": row["start_timestamp_ms"],
            "ms": row["duration_ms"],
            "kids": row["children"],
            "turn": row["cause"]["turn"] if row["cause"] else 0,
        }
        for row in said.processes
    ]
    return table(rows)


def table(rows: Sequence[Any], **more: Any) -> Any:
    return {"start": 0, "total": len(rows), "rows": rows, "unheld": 0, "kinds": {}, **more}


def files(said: Said) -> Any:
    kinds: dict[str, int] = {}
    for row in said.files:
        kinds[row["kind"]] = kinds.get(row["kind"], 0) + 1
    rows = [
        {
            "path": row["path"],
            "count": row["count"],
            "errors": row["errors"],
            "read": row["read_bytes"],
            "written": row["written_bytes"],
            "last_ms": row["last_timestamp_ms"],
            "turn": row["causes"][-1]["turn"] if row["causes"] else 0,
            "asked": row["causes"][-1]["prompt_turn"] if row["causes"] else 0,
            "plus": ANY,  # of the inputs of tools, which no report counts
            "minus": ANY,
            "size": ANY,
            "edits": ANY,
        }
        for row in said.files
    ]
    return table(rows, kinds=kinds, unheld=ANY)


def network(said: Said) -> Any:
    rows: list[dict[str, Any]] = []
    for row in said.ask("network"):
        if row["kind"] == "unread":
            name = f"{row['comm']} {row['pid']}"
            rows.append({"name": name, "count": row["connections"], "sent": row["bytes"]})
            continue
        rows.append(
            {
                "name": row["peer"] if row["kind"] == "peer" else f"{row['scheme']}://{row['host']}",
                "count": row["count"],
                "errors": row["errors"],
                "calls": row.get("calls", 0),
                "sent": row["sent_bytes"],
                "received": row["received_bytes"],
                "last_ms": row.get("last_timestamp_ms", 0),
                "turn": (row.get("causes") or [{"turn": 0}])[-1]["turn"],
            }
        )
    return table(rows)


def mcp(said: Said) -> Any:
    return table(
        [
            {
                "id": row["id"],
                "start_ms": row["timestamp_ms"],
                "ms": row["duration_ms"],
                "client": row["client_pid"],
                "pid": row["server_pid"],
                "turn": row["cause"]["turn"] if row["cause"] else 0,
            }
            for row in said.ask("mcp")
        ]
    )


def http(said: Said) -> Any:
    return table(
        [
            {
                "id": row["id"],
                "start_ms": row["timestamp_ms"],
                "status": row["status_code"],
                "ms": row["duration_ms"],
                "sent": row["request_bytes"],
                "received": row["response_bytes"],
                "turn": row["turn"],
            }
            for row in said.ask("http")
        ]
    )


def timeline(said: Said) -> Any:
    """Each span of a lane begins and ends with a row of the report, which has the number of its turn."""
    rows = said.ask("timeline")
    start = rows[0]["timestamp_ms"] - rows[0]["offset_ms"]
    begins = {row["offset_ms"] for row in rows}
    ends = begins | {row["offset_ms"] + (row["duration_ms"] or 0) for row in rows if row["kind"] in ("call", "tool", "program")}
    begins |= {tool["timestamp_ms"] - start for tool in said.tools}
    ends |= {(tool["end_timestamp_ms"] or start) - start for tool in said.tools}
    length = max(ends)
    lane = {"start": AnyOf(begins), "end": AnyOf(ends), "turn": AnyOf({0, *said.turns.values()})}
    first = min((row["offset_ms"] for row in rows if row["kind"] == "call"), default=0)
    return {"start_ms": start, "length_ms": length, "first_ms": first, "lanes": Each(lane), "curve": ANY}


def latency(said: Said) -> Any:
    timed = [tool for tool in said.tools if tool["duration_ms"] is not None]
    firsts = [call for call in said.calls if call["time_to_first_chunk_ms"] is not None]
    first_ms = [call["time_to_first_chunk_ms"] for call in firsts]
    durations = {tool["duration_ms"] for tool in timed}
    numbers = AnyOf(set(said.turns.values()))
    return {
        "first": spread(sorted(first_ms)),
        "tools": spread(sorted(tool["duration_ms"] for tool in timed)),
        "first_ms": first_ms,
        "first_turns": [call["turn"] for call in firsts],
        "tool_ms": [tool["duration_ms"] for tool in timed],
        "tool_turns": [said.turns[tool["llm_call_id"]] for tool in timed],
        "slow_calls": Each(
            {"ms": AnyOf({call["time_to_first_chunk_ms"] for call in firsts}), "turn": numbers, "whole_ms": ANY}
        ),
        "slow_tools": Each({"ms": AnyOf(durations), "turn": numbers}),
    }


def failures(said: Said) -> Any:
    bad = {said.turns[tool["llm_call_id"]] for tool in said.tools if has_failed(tool)}
    bad |= {call["turn"] for call in said.calls if call["status"] == "error"}
    return {"groups": Each({"turns": Each(AnyOf(bad))}), "answers": ANY, "more": 0, "more_answers": 0}


def alerts(said: Said) -> Any:
    rows = [
        {
            "id": row["id"],
            "n": row["number"],
            "at_ms": row["timestamp_ms"],
            "last_ms": row["last_timestamp_ms"],
            "count": many(row),
            "turn": row["turn"],
            "proven": row["proven"],
            "cost": row["cost"],
            "part_of": ANY,
        }
        for row in said.alerts
    ]
    waiting = [row for row in said.alerts if row["do"] != "note" and not row["part_of"]]
    notes = [row for row in said.alerts if row["do"] == "note"]
    return {"start": 0, "total": len(rows), "rows": rows, "waiting": len(waiting), "notes": len(notes), "stopped": 0}


def by_turn(said: Said) -> dict[int, Any]:
    """What filled the request of each turn; of several tries the last."""
    return {each["turn"]: each for each in said.ask("context", "--over-time")}


def context(said: Said) -> Any:
    by_id = {call["id"]: call for call in said.calls}
    over = [*by_turn(said).values()]
    calls = [by_id[each["call"]] for each in over]
    return {
        "n": [each["turn"] for each in over],
        "sums": ANY,  # each turn's is compared by its own answer
        "read": Runs([call["cache_read_tokens"] for call in calls]),
        "written": Runs([call["cache_creation_tokens"] for call in calls]),
        "prompts": ANY,
        "window": said.context["window"] if said.context else 0,
        "fullest": max(over, key=lambda each: each["total"])["turn"] if over else 0,
        "threads": [
            {"id": "", "turns": len(over)},
            *({"id": key, "turns": len(thread(said, key))} for key in agents_of(said)),
        ],
        "calls": len(over),
        "findings": ANY,
    }


def context_turn(said: Said, turn: int) -> Any:
    (found,) = said.ask("context", str(turn))
    call = next(each for each in said.main if each["turn"] == turn)
    total = found["total"]
    return {
        "turn": turn,
        "at_ms": call["start_timestamp_ms"],
        "tokens": total,
        "segments": sum(each["count"] for each in found["segments"]),
        "sentence": ANY,
        "blocks": ANY,  # their sum is compared, below
        "rows": ANY,
        "rest": ANY,
        "total": {"tokens": total, "count": ANY, "cached_usd": ANY, "full_usd": ANY, "carried": ANY},
        "servers": ANY,
        "notes": ANY,
        "chosen": ANY,
        "read": call["cache_read_tokens"],
        "written": call["cache_creation_tokens"],
        "uncached": call["input_tokens"],
        "usd": ANY,
        "dropped_usd": ANY,
    }


def rail_row(said: Said) -> Any:
    row = said.row
    changed = {each["path"] for each in said.files if each["kind"] in ("written", "removed", "moved") and each["causes"]}
    is_recorded = "view" in row["known_by"]
    return {
        "id": row["id"],
        "start_ms": row["start_timestamp_ms"],
        "end_ms": row["end_timestamp_ms"],
        "turns": len(said.main),
        "turn": max(said.turns.values()) if is_recorded else ANY,
        "tokens": row["total_tokens"],
        "usd": said.summary["cost"]["usd"],
        "unpriced": said.summary["cost"]["unknown_calls"],
        "left": said.left() if is_recorded else ANY,  # shown while a run goes on
        "missing": said.health["missing"],
        "failed": row["failed_calls"],
        "failed_tools": row["failed_tools"],
        "files": len(changed) if is_recorded else ANY,
        "waiting": len([each for each in said.alerts if each["do"] != "note" and not each["part_of"]]),
    }


def sums(all_said: Sequence[Said]) -> Any:
    total = [said.summary for said in all_said]
    return {
        "of": len(all_said),
        "sessions": len(all_said),
        "usd": sum(each["cost"]["usd"] or 0 for each in total),
        "unpriced": sum(each["cost"]["usd"] is None or bool(each["cost"]["unknown_calls"]) for each in total),  # sessions
        "tokens": sum(said.row["total_tokens"] for said in all_said),
        "asked": sum(each["asked_tokens"] for each in total),
        "cached": sum(each["cached_tokens"] for each in total),
        "ms": sum(each["duration_ms"] for each in total),
        "model_ms": sum(each["session"]["model_ms"] for each in total),
        "failed": sum(bool(each["failed_tools"]) for each in total),  # sessions
        "recorded": len([said for said in all_said if "view" in said.row["known_by"]]),
        "both": 0,
        "agree": 0,
        "gaps": len([said for said in all_said if said.health["missing"]]),
        "first_ms": min(each["started_ms"] for each in total),
        "last_ms": max(each["started_ms"] for each in total),
        "projects": ANY,
        "models": ANY,
        "choices": ANY,
        "without": ANY,
        "left": 0,
    }


VIEWS: dict[str, tuple[str, Callable[[Said], Any]]] = {
    "head": ("", head),
    "turns": ("/turns?count=1000", turns),
    "processes": ("/processes?count=1000", processes),
    "files": ("/files?count=1000", files),
    "network": ("/network?count=1000", network),
    "mcp": ("/mcp?count=1000", mcp),
    "http": ("/http?count=1000", http),
    "timeline": ("/timeline?width=100000", timeline),
    "latency": ("/latency", latency),
    "failures": ("/failures", failures),
    "alerts": ("/alerts?count=1000", alerts),
    "context": ("/context", context),
}

# -- the comparison ----------------------------------------------------------------------------------------------------------


class AnyNumber:
    """No report says it, or it is compared in another way."""


ANY = AnyNumber()


class AnyOf:
    """One of these."""

    def __init__(self, values: set[Any]) -> None:
        self.values = values


class Each:
    """Any number of these."""

    def __init__(self, like: Any) -> None:
        self.like = like


class Runs:
    """Values, each with how many turns in a row have it."""

    def __init__(self, values: Sequence[int]) -> None:
        found: list[int] = []
        for each in values:
            if found and found[-2] == each:
                found[-1] += 1
            else:
                found += [each, 1]
        self.numbers = found


KEYS = ("id", "call", "path", "name", "pid", "n")


def differences(page: Any, said: Any, place: str) -> Iterator[str]:
    """Where they are not equal. A number of the page that reports do not say, too, and one that the page leaves out."""
    if any(place == each or place.startswith(f"{each}.") for each in NOT_IN_REPORTS) or isinstance(said, AnyNumber):
        return
    if isinstance(said, Runs):
        said = said.numbers
    if isinstance(page, bool | str):
        return
    if isinstance(page, int | float):
        if isinstance(said, AnyOf):
            if page not in said.values:
                yield f"{place}: {page} on the page is in no row of the report"
        elif not isinstance(said, int | float):
            yield f"{place}: {page} on the page, nothing ({said!r}) in the report"
        elif round(page - said, _DIGITS):
            yield f"{place}: {page} on the page, {said} in the report"
    elif is_object(page):
        for name, each in page.items():
            if has_numbers(each):
                if is_object(said) and name in said:
                    yield from differences(each, said[name], f"{place}.{name}")
                else:
                    yield from differences(each, None, f"{place}.{name}")
        if is_object(said):
            for name, each in said.items():
                if name not in page and isinstance(each, int | float) and not isinstance(each, bool) and each:
                    yield f"{place}.{name}: nothing on the page, {each} in the report"
    elif is_list(page):
        yield from _of_lists(page, said, place)


def is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def has_numbers(value: Any) -> bool:
    if is_object(value):
        return any(map(has_numbers, value.values()))
    if is_list(value):
        return any(map(has_numbers, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_lists(page: list[Any], said: Any, place: str) -> Iterator[str]:
    if isinstance(said, Each | AnyOf):
        for each in page:
            yield from differences(each, said.like if isinstance(said, Each) else said, place)
        return
    if not is_list(said):
        if has_numbers(page):
            yield f"{place}: {len(page)} on the page, none in the report"
        return
    key = next((key for key in KEYS if page and is_object(page[0]) and key in page[0] and said and key in said[0]), "")
    if key:
        known: dict[Any, Any] = {each[key]: each for each in said}
        for each in page:
            if each[key] not in known:
                yield f"{place}: {each[key]} is in no row of the report"
            else:
                yield from differences(each, known[each[key]], place)
        return
    if len(page) != len(said):
        yield f"{place}: {len(page)} on the page, {len(said)} in the report"
    for one, other in zip(page, said, strict=False):
        yield from differences(one, other, place)


def sessions_of(both: Both) -> list[str]:
    return [row["id"] for row in both.get("sessions")["sessions"]]


@pytest.mark.parametrize("view", VIEWS)
def test_each_number_of_a_view_is_that_of_the_reports(both: Both, view: str) -> None:
    path, made = VIEWS[view]
    for id in sessions_of(both):
        page = both.of(id, path)
        assert [] == [*differences(page, made(Said(both, id)), view)], id


def test_the_list_of_sessions_and_its_sums_are_those_of_the_reports(both: Both) -> None:
    page, of_all = both.get("sessions"), both.get("sessions/sums")
    all_said = [Said(both, row["id"]) for row in page["sessions"]]
    assert {said.row["id"] for said in all_said} == {row["id"] for row in both.said("sessions")}
    assert [] == [*differences(page["sessions"], [*map(rail_row, all_said)], "rail")]
    assert len(all_said) == page["total"] == page["all"]
    assert [] == [*differences(of_all, sums(all_said), "sums")]


def test_each_request_is_filled_as_the_report_of_the_context_says(both: Both) -> None:
    for id in sessions_of(both):
        said = Said(both, id)
        for row in [*by_turn(said).values()][::4]:
            page = both.of(id, f"/context/{row['turn']}")
            assert [] == [*differences(page, context_turn(said, row["turn"]), "context turn")], row["turn"]
            assert sum(block["tokens"] for block in page["blocks"]) == row["total"] == sum(row["sums"].values())


def test_the_verdict_has_the_words_of_the_summary_and_their_turns(both: Both) -> None:
    for id in sessions_of(both):
        said = Said(both, id).summary["verdict"]
        page = {clause["text"].lower(): clause.get("turn", 0) for clause in both.of(id)["verdict"]}
        for clause in [*said["did"], *said["trouble"]]:
            assert page.get(clause["text"].lower()) == clause["turn"], clause


def test_health_names_as_many_missing_things_as_the_report(both: Both) -> None:
    (said,) = both.said("health", "--all")
    page = both.get(f"r/{both.name}/health")
    assert said["missing"] == page["whole"].get("missing", 0) == len(page["missing"])
    for loss in said["losses"]:
        assert any(f"{loss['count']:,} " in each["what"] and "lost" in each["what"] for each in page["missing"]), loss
    calls = next(stage for stage in page["stages"] if stage["id"] == "calls")
    assert said["calls"] == calls["before"]
    assert said["calls_cut"] + said["calls_unfinished"] == calls.get("lost", 0)


def test_two_sessions_are_compared_by_the_numbers_of_the_report(both: Both) -> None:
    ids = sessions_of(both)
    if len(ids) < 2:
        return  # an import has three
    a, b = ids[:2]
    page = {name: (one, other) for name, one, other in both.get(f"compare?a={a}&b={b}")["numbers"]}
    said = {row["what"]: (row["first"], row["second"]) for row in both.said("diff", a, b) if row["kind"] == "number"}
    assert {name: said[name] for name in COMPARED.values()} == {name: page[shown] for shown, name in COMPARED.items()}
    summaries = [Said(both, id).summary for id in (a, b)]
    assert tuple(len(Said(both, id).main) for id in (a, b)) == page["Turns"]
    assert tuple(each["tools"] for each in summaries) == page["Tool calls"]
    assert tuple(each["session"]["model_ms"] for each in summaries) == page["in the model"]


COMPARED = {
    "Model calls": "calls",
    "Tokens in": "input tokens",
    "from cache": "cached tokens",
    "Tokens out": "output tokens",
    "Cost": "cost",
    "Time": "duration ms",
}


def test_a_number_that_differs_is_found_wherever_it_stands(both: Both) -> None:
    """Each number of the page that is compared, one too large: the law above can fail."""
    id = sessions_of(both)[0]
    said = Said(both, id)
    changed = 0
    for view, (path, made) in VIEWS.items():
        page, expected = both.of(id, path), made(said)
        for name in sorted(compared(page, expected, view)):
            wrong = one_more(page, name.split(".")[1:])
            assert [*differences(wrong, expected, view)], name
            changed += 1
    assert changed > 40


def compared(page: Any, said: Any, place: str) -> set[str]:
    """The places of numbers that are not left out."""
    if any(place == each or place.startswith(f"{each}.") for each in NOT_IN_REPORTS) or isinstance(said, AnyNumber):
        return set()
    if is_object(page):
        return {
            found
            for name, each in page.items()
            for found in compared(each, said.get(name) if is_object(said) else None, f"{place}.{name}")
        }
    if is_list(page):
        like: Any = said.like if isinstance(said, Each) else said[0] if is_list(said) and said else said
        return compared(page[0], like, place) if page else set()
    return {place} if has_numbers(page) else set()


def one_more(page: Any, names: list[str]) -> Any:
    if is_list(page):
        return [one_more(page[0], names), *page[1:]]
    if not names:
        return page + 987_654_321
    return {**page, names[0]: one_more(page[names[0]], names[1:])}
