"""
A history of months -> the session files of Claude Code and Codex, with what others counted wrongly: an answer on a line a
content block, sub-agents in files of their own, a session that was resumed into another file, and counts that come again.

    python -m tests.agents.session_history HOME SESSIONS
"""

from __future__ import annotations

import datetime
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["write_history"]

_BEGIN = datetime.datetime(2026, 6, 1, 9, 0, tzinfo=datetime.UTC)
_CLAUDE = ("claude-sonnet-4-5-20250929", "claude-opus-4-5-20251101", "claude-haiku-4-5-20251001")
_CODEX = ("gpt-5.1-codex", "gpt-5")
_PROJECTS = ("shop", "worker", "ledger")
_DAYS = 150

Line = dict[str, Any]


def write_history(home: Path, sessions: int, *, calls: int = 4) -> None:
    """So many sessions of each of both agents, the same ones each time."""
    chance = random.Random(7)
    for number in range(sessions):
        _claude(home, number, chance, calls=calls)
        _codex(home, number, chance, calls=calls)


def _at(number: int, second: int) -> str:
    """Each session has 13 minutes on one of the days."""
    time = _BEGIN + datetime.timedelta(days=number % _DAYS, minutes=13 * (number // _DAYS % 40), seconds=second)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(path: Path, lines: list[Line]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


# -- Claude Code -------------------------------------------------------------------------------------------------------


def _claude(home: Path, number: int, chance: random.Random, *, calls: int) -> None:
    session, project = f"{number:08x}-0000-4000-8000-000000000001", chance.choice(_PROJECTS)
    folder, model = home / ".claude/projects" / f"-work-{project}", chance.choice(_CLAUDE)
    head = {"sessionId": session, "cwd": f"/work/{project}", "version": "2.1.331", "gitBranch": "main", "userType": "external"}
    lines: list[Line] = [
        {**head, "type": "user", "uuid": f"u-{number}", "isSidechain": False, "timestamp": _at(number, 0),
         "message": {"role": "user", "content": f"Mend the prices of {project}, part {number}"}}
    ]  # fmt: skip
    for turn in range(calls):
        lines += _answer(head, number, turn, model, chance)
    _write(folder / f"{session}.jsonl", lines)
    if number % 5 == 0:
        aside = {**head, "isSidechain": True, "agentId": f"a{number:x}"}
        answer = [line for turn in range(2) for line in _answer(aside, number, 100 + turn, _CLAUDE[2], chance)]
        _write(folder / session / "subagents" / f"agent-a{number:x}.jsonl", answer)
    if number % 7 == 0:  # resumed: the new file begins with the lines of the old one
        resumed = f"{number:08x}-0000-4000-8000-000000000002"
        more = [{**line, "sessionId": resumed} for line in lines]
        more += _answer({**head, "sessionId": resumed}, number, 200, model, chance)
        _write(folder / f"{resumed}.jsonl", more)


def _answer(head: Line, number: int, turn: int, model: str, chance: random.Random) -> Iterator[Line]:
    """A line for its text and one for its tool, each with all of the usage."""
    second = 3 * turn + 1
    short, long = chance.randrange(2000), chance.randrange(500)
    usage = {
        "input_tokens": chance.randrange(1, 40),
        "cache_creation_input_tokens": short + long,
        "cache_read_input_tokens": chance.randrange(20_000),
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": chance.randrange(1, 900),
        "service_tier": "standard",
    }
    message = {"model": model, "id": f"msg_{number}_{turn}", "type": "message", "role": "assistant", "usage": usage}
    tool = {"type": "tool_use", "id": f"toolu_{number}_{turn}", "name": "Bash", "input": {"command": f"make part-{turn}"}}
    for at, part in enumerate(({"type": "text", "text": f"I make part {turn}."}, tool)):
        yield {
            "isSidechain": False, **head, "type": "assistant", "uuid": f"a-{number}-{turn}-{at}",
            "timestamp": _at(number, second + at), "requestId": f"req_{number}_{turn}",
            "message": {**message, "content": [part]},
        }  # fmt: skip
    done = [{"tool_use_id": tool["id"], "type": "tool_result", "content": "made"}]
    yield {
        "isSidechain": False, **head, "type": "user", "uuid": f"r-{number}-{turn}", "timestamp": _at(number, second + 2),
        "message": {"role": "user", "content": done},
    }  # fmt: skip


# -- Codex -------------------------------------------------------------------------------------------------------------


def _codex(home: Path, number: int, chance: random.Random, *, calls: int) -> None:
    project, model = chance.choice(_PROJECTS), chance.choice(_CODEX)
    lines, spent = list(_begin(number, f"{number:08x}-0000-7000-8000-000000000003", project)), [0, 0, 0, 0]
    for turn in range(calls):
        lines += _turn(number, turn, model, spent, chance)
    _rollout(home, number, lines)


def _rollout(home: Path, number: int, lines: list[Line]) -> None:
    day = _at(number, 0)[:10]
    name = f"rollout-{_at(number, 0)[:19].replace(':', '-')}-{lines[0]['payload']['id']}.jsonl"
    _write(home / ".codex/sessions" / day.replace("-", "/") / name, lines)


def _begin(number: int, id: str, project: str) -> Iterator[Line]:
    meta = {
        "id": id,
        "timestamp": _at(number, 0),
        "cwd": f"/work/{project}",
        "originator": "codex_cli_rs",
        "cli_version": "0.169.0",
    }
    yield {"timestamp": _at(number, 0), "type": "session_meta", "payload": meta}


def _turn(number: int, turn: int, model: str, spent: list[int], chance: random.Random) -> Iterator[Line]:
    second = 3 * turn + 1
    now = [chance.randrange(5000, 9000), chance.randrange(4000), chance.randrange(100, 900), chance.randrange(90)]
    spent[:] = [before + more for before, more in zip(spent, now, strict=True)]

    def line(kind: str, **payload: Any) -> Line:
        return {"timestamp": _at(number, second), "type": kind, "payload": payload}

    yield line("turn_context", cwd="/work", model=model, approval_policy="never")
    yield line("event_msg", type="user_message", message=f"Go on with {turn}", images=[])
    yield line(
        "response_item", type="message", role="assistant", content=[{"type": "output_text", "text": f"Part {turn} is done."}]
    )
    counted = line(
        "event_msg", type="token_count", info={"total_token_usage": _counts(spent), "last_token_usage": _counts(now)}
    )
    yield counted
    if turn % 2:
        yield counted  # without a call in between


def _counts(found: list[int]) -> Line:
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    return {**dict(zip(names, found, strict=True)), "total_tokens": found[0] + found[2]}


if __name__ == "__main__":
    write_history(Path(sys.argv[1]), int(sys.argv[2]))
