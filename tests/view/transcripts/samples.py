"""Small session files, as the agents write them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from agentsight_rx.sources.session_files.database import Databases
from agentsight_rx.sources.session_files.files import AgentFile, Home

__all__ = [
    "CLAUDE",
    "CODEX",
    "GEMINI",
    "GEMINI_LINES",
    "OPENCODE",
    "OPENCODE_LINES",
    "SECRET",
    "changed",
    "lines",
    "logged",
    "opencode_database",
    "values_in",
]

SECRET = "sk-ant-api03-" + "Ab3dEf6hIj" * 9 + "AA"


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def _claude(kind: str, second: int, message: object, **more: object) -> dict[str, object]:
    return {
        "parentUuid": None,
        "isSidechain": False,
        "userType": "external",
        "cwd": "/work/shop",
        "sessionId": "1a2b3c4d-0000-4000-8000-000000000001",
        "version": "2.1.331",
        "gitBranch": "main",
        "type": kind,
        "message": message,
        "uuid": f"u-{second}",
        "timestamp": f"2026-11-01T10:00:{second:02}.000Z",
        **more,
    }


def _answer(second: int, request: str, output: int, *content: object) -> dict[str, object]:
    usage = {
        "input_tokens": 4,
        "cache_creation_input_tokens": 1200,
        "cache_read_input_tokens": 9000,
        "output_tokens": output,
        "service_tier": "standard",
    }
    message = {"model": "claude-sonnet-4-5-20250929", "id": f"msg_{request}", "type": "message", "role": "assistant"}
    return _claude("assistant", second, {**message, "content": list(content), "usage": usage}, requestId=f"req_{request}")


CLAUDE = lines(
    {"type": "summary", "summary": "Mend the  shop's\nprices", "leafUuid": "u-9"},
    {"type": "file-history-snapshot", "messageId": "u-1", "snapshot": {}},
    _claude("user", 0, {"role": "user", "content": "<command-name>/clear</command-name>"}),
    _claude("user", 1, {"role": "user", "content": "Caveat: The messages below were generated"}, isMeta=True),
    _claude("user", 2, {"role": "user", "content": [{"type": "text", "text": f"Mend it, the key is {SECRET}"}]}),
    _answer(3, "01", 3, {"type": "thinking", "thinking": "Hm", "signature": "x"}),
    _answer(4, "01", 3, {"type": "text", "text": "I will read it."}),
    _answer(
        5, "01", 80, {"type": "tool_use", "id": "toolu_01", "name": "Read", "input": {"file_path": "/work/shop/prices.py"}}
    ),
    _claude(
        "user",
        6,
        {"role": "user", "content": [{"tool_use_id": "toolu_01", "type": "tool_result", "content": f"KEY = '{SECRET}'"}]},
        toolUseResult={"type": "text"},
    ),
    _answer(7, "02", 90, {"type": "tool_use", "id": "toolu_02", "name": "Bash", "input": {"command": "make"}}),
    _claude(
        "user",
        8,
        {
            "role": "user",
            "content": [
                {
                    "tool_use_id": "toolu_02",
                    "type": "tool_result",
                    "content": [{"type": "text", "text": "make: no rule"}],
                    "is_error": True,
                }
            ],
        },
    ),
    _answer(
        9, "03", 20, {"type": "tool_use", "id": "toolu_03", "name": "Write", "input": {"file_path": "/work/shop/CLAUDE.md"}}
    ),
    _claude(
        "assistant", 10, {"model": "<synthetic>", "id": "x", "content": [{"type": "text", "text": "API Error"}], "usage": {}}
    ),
)


def _codex(kind: str, second: int, **payload: object) -> dict[str, object]:
    return {"timestamp": f"2026-11-01T10:00:{second:02}.500Z", "type": kind, "payload": payload}


def _tokens(second: int, total: tuple[int, int, int, int], last: tuple[int, int, int, int]) -> dict[str, object]:
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    spent = [{**dict(zip(names, each, strict=True)), "total_tokens": each[0] + each[2]} for each in (total, last)]
    found = {"total_token_usage": spent[0], "last_token_usage": spent[1], "model_context_window": 272000}
    return _codex("event_msg", second, type="token_count", info=found, rate_limits=None)


CODEX = lines(
    _codex(
        "session_meta", 0, id="019a-0001", timestamp="2026-11-01T10:00:00.100Z", cwd="/work/shop", originator="codex_cli_rs"
    ),
    _codex(
        "response_item",
        1,
        type="message",
        role="user",
        content=[{"type": "input_text", "text": "<environment_context>\n  <cwd>/work/shop</cwd>\n</environment_context>"}],
    ),
    _codex("turn_context", 2, cwd="/work/shop", approval_policy="never", model="gpt-5.1-codex", effort="medium"),
    _codex("event_msg", 3, type="user_message", message="Mend the prices", images=[]),
    _codex("event_msg", 3, type="token_count", info=None, rate_limits={"primary": {"used_percent": 1.0}}),
    _codex("response_item", 4, type="reasoning", summary=[], encrypted_content="gAAA"),
    _codex("response_item", 4, type="function_call", name="shell", arguments='{"command":["ls"]}', call_id="call_1"),
    _tokens(5, (3000, 1000, 100, 40), (3000, 1000, 100, 40)),
    _codex(
        "response_item",
        6,
        type="function_call_output",
        call_id="call_1",
        output=json.dumps({"output": "ls: no such file", "metadata": {"exit_code": 2, "duration_seconds": 0.1}}),
    ),
    _tokens(7, (3000, 1000, 100, 40), (3000, 1000, 100, 40)),
    _codex("turn_context", 8, cwd="/work/shop", model="gpt-5-mini"),
    _codex("response_item", 8, type="custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="call_2"),
    _codex("response_item", 9, type="custom_tool_call_output", call_id="call_2", output="Exit code: 0\nOutput:\nSuccess"),
    _tokens(10, (7000, 3500, 250, 40), (4000, 2500, 150, 0)),
)


def _gemini(second: int, identity: str, kind: str, **more: object) -> dict[str, object]:
    return {"id": identity, "timestamp": f"2026-11-01T10:00:{second:02}.000Z", "type": kind, **more}


_HEAD = {
    "sessionId": "5b5b-0001",
    "projectHash": "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3a94a8fe5ccb19ba61c4c0873",
    "startTime": "2026-11-01T10:00:00.000Z",
    "lastUpdated": "2026-11-01T10:00:30.000Z",
}
_MESSAGES = [
    _gemini(1, "m1", "user", content=[{"text": "Mend the prices"}]),
    _gemini(2, "m2", "info", content="Update available"),
    _gemini(
        3,
        "m3",
        "gemini",
        content="",
        thoughts=[],
        model="gemini-2.5-pro",
        tokens={"input": 5000, "output": 20, "cached": 3000, "thoughts": 70, "tool": 10, "total": 5100},
        toolCalls=[
            {
                "id": "read_file-1",
                "name": "read_file",
                "args": {"absolute_path": "/work/shop/prices.py"},
                "result": [{"functionResponse": {"id": "read_file-1", "name": "read_file", "response": {"output": "A = 1"}}}],
                "status": "success",
                "timestamp": "2026-11-01T10:00:04.000Z",
            },
            {
                "id": "run-2",
                "name": "run_shell_command",
                "args": {"command": "make"},
                "result": [{"functionResponse": {"id": "run-2", "name": "run", "response": {"error": "no rule"}}}],
                "status": "error",
                "timestamp": "2026-11-01T10:00:05.000Z",
            },
        ],
    ),
]
GEMINI = json.dumps({**_HEAD, "messages": _MESSAGES, "summary": "Mend the prices of the shop"}, indent=2).encode()
GEMINI_LINES = lines(
    {**_HEAD, "kind": "main"},
    _MESSAGES[0],
    _MESSAGES[1],
    {**_MESSAGES[2], "tokens": None, "toolCalls": []},
    _MESSAGES[2],
    {"$set": {"lastUpdated": "2026-11-01T10:00:30.000Z", "summary": "Mend the prices of the shop"}},
    {"$rewindTo": "m1"},
)


_OPENCODE_TABLES = """
    create table session (id text primary key, project_id text, parent_id text, slug text, directory text, title text,
        version text, time_created integer, time_updated integer);
    create table message (id text primary key, session_id text, time_created integer, time_updated integer, data text);
    create table part (id text primary key, message_id text, session_id text, time_created integer, time_updated integer,
        data text);
"""
_OPENCODE_MS = 1_793_527_200_000  # 2026-11-01 10:00 UTC


def opencode_database(*sessions: str, journal: str = "delete") -> bytes:
    """A database with these sessions, each a minute younger: a prompt, a tool that worked, one that did not."""
    rows = sqlite3.connect(":memory:")
    rows.executescript(_OPENCODE_TABLES)
    for number, id in enumerate(sessions):
        at = _OPENCODE_MS + 60_000 * number
        rows.execute(
            "insert into session values (?, 'global', null, 'calm-fox', '/work/shop', 'Mend the prices', '1.2.10', ?, ?)",
            (id, at, at + 9000),
        )
        said: list[tuple[str, dict[str, object], list[dict[str, object]]]] = [
            ("user", {}, [{"type": "text", "text": f"Mend it, the key is {SECRET}"}]),
            (
                "assistant",
                {"modelID": "claude-sonnet-4-5", "providerID": "anthropic"},
                [
                    {"type": "step-start"},
                    _opencode_tool(
                        at, "read", {"filePath": "/work/shop/prices.py"}, status="completed", output=f"KEY = '{SECRET}'"
                    ),
                    _opencode_tool(at, "bash", {"command": "make"}, status="error", error="no rule"),
                    {
                        "type": "step-finish",
                        "reason": "tool-calls",
                        "tokens": {
                            "total": 11_287,
                            "input": 11_162,
                            "output": 42,
                            "reasoning": 39,
                            "cache": {"read": 83, "write": 0},
                        },
                    },
                ],
            ),
            (
                "assistant",
                {
                    "modelID": "claude-sonnet-4-5",
                    "tokens": {"input": 100, "output": 35, "reasoning": 59, "cache": {"read": 8320, "write": 20}},
                },
                [{"type": "text", "text": "Done."}],
            ),
        ]
        for place, (role, more, parts) in enumerate(said):
            message = f"msg_{number}{place}"
            times = {"created": at + place * 1000, "completed": at + place * 1000 + 500}
            data = json.dumps({"role": role, "time": times, **more}, indent=2)
            rows.execute("insert into message values (?, ?, ?, ?, ?)", (message, id, at + place, at + place, data))
            for order, part in enumerate(parts):
                key = f"prt_{number}{place}{order}"
                rows.execute("insert into part values (?, ?, ?, ?, ?, ?)", (key, message, id, at + order, at, json.dumps(part)))
    rows.commit()
    made = rows.serialize()
    rows.close()
    return made if journal == "delete" else made[:18] + b"\x02\x02" + made[20:]


def _opencode_tool(at: int, name: str, given: object, **state: object) -> dict[str, object]:
    times = {"start": at + 2000, "end": at + 3000}
    return {"type": "tool", "callID": f"call_{name}", "tool": name, "state": {"input": given, "time": times, **state}}


def changed(data: bytes, *statements: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as rows:
        if data:
            rows.deserialize(data)
        for statement in statements:
            rows.execute(statement)
        rows.commit()
        return rows.serialize()


def logged(folder: Path, *sessions: str) -> tuple[bytes, bytes]:
    """A database and its write-ahead log while opencode runs: the sessions are in the log alone."""
    path = folder / "running.db"
    path.write_bytes(opencode_database())
    with closing(sqlite3.connect(path, isolation_level=None)) as rows, closing(sqlite3.connect(":memory:")) as written:
        rows.execute("pragma journal_mode=wal")
        rows.execute("pragma wal_autocheckpoint=0")
        written.deserialize(opencode_database(*sessions))
        for table, columns in (("session", 9), ("message", 5), ("part", 6)):
            for values in written.execute(f"select * from {table}"):
                rows.execute(f"insert into {table} values ({', '.join('?' * columns)})", values)
        return path.read_bytes(), path.with_name("running.db-wal").read_bytes()


def values_in(data: bytes, session: str) -> list[Mapping[str, object]]:
    """What is read of a session of a database."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "opencode.db")
        path.write_bytes(data)
        os.utime(path, (1, 1))
        home = Home(folder, os.geteuid())
        file = AgentFile(agent="opencode", root=folder, inside=path.name, version=(1, 1, 1, 1), changed_ns=1)
        with closing(Databases(home)) as databases:
            return [each for found in databases.sessions(file) if found.session == session for each in databases.values(found)]


OPENCODE = opencode_database("ses_0001")
OPENCODE_LINES = lines(*values_in(OPENCODE, "ses_0001"))
