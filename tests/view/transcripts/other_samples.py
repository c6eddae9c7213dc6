"""Small session files of agents whose parser is a table or reads a log of events, each of two calls and a tool."""

from __future__ import annotations

import json

from tests.view.transcripts.samples import SECRET, lines

__all__ = ["BESIDE", "OTHERS"]

AT = "2026-11-01T10:00:0"
MS = 1_793_527_200_000  # 2026-11-01T10:00:00Z
PROMPT, ANSWER, DONE = f"Mend it, the key is {SECRET}", "I look.", "Done."
GIVEN = {"command": "make"}


def _text(said: str) -> list[dict[str, object]]:
    return [{"type": "text", "text": said}]


# -- lists of messages ---------------------------------------------------------------------------------------------------


def _pi(second: int, id: str, **message: object) -> dict[str, object]:
    return {"type": "message", "id": id, "parentId": None, "timestamp": f"{AT}{second}.000Z", "message": message}


def _pi_answer(second: int, id: str, content: object, **usage: int) -> dict[str, object]:
    counts = {"input": 10, "output": 5, "cacheRead": 100, "cacheWrite": 7, "totalTokens": 122, **usage}
    said = {"provider": "anthropic", "model": "claude-opus-4-5", "usage": counts, "responseId": f"msg_{id}"}
    return _pi(second, id, role="assistant", content=content, **said)


PI = lines(
    {"type": "session", "version": 3, "id": "pi-1", "timestamp": f"{AT}0.000Z", "cwd": "/work/shop"},
    {"type": "model_change", "id": "c", "timestamp": f"{AT}0.000Z", "provider": "anthropic", "modelId": "claude-opus-4-5"},
    _pi(0, "s", role="system", content=""),
    _pi(1, "u", role="user", content=_text(PROMPT)),
    _pi_answer(
        2,
        "a1",
        [
            {"type": "thinking", "thinking": "Hm"},
            *_text(ANSWER),
            {"type": "toolCall", "id": "t1", "name": "bash", "arguments": GIVEN},
        ],
    ),
    _pi(3, "r", role="toolResult", toolCallId="t1", toolName="bash", content=_text("no rule"), isError=True),
    _pi_answer(4, "a2", _text(DONE)),
    {"type": "session_info", "id": "i", "timestamp": f"{AT}5.000Z", "name": "Mend the prices"},
)

DROID = lines(
    {"type": "session_start", "id": "droid-1", "title": "Mend the prices", "cwd": "/work/shop", "version": 2},
    {"type": "message", "id": "u", "timestamp": f"{AT}1.000Z", "message": {"role": "user", "content": _text(PROMPT)}},
    {
        "type": "message",
        "id": "a1",
        "timestamp": f"{AT}2.000Z",
        "message": {
            "role": "assistant",
            "content": [*_text(ANSWER), {"type": "tool_use", "id": "t1", "name": "Execute", "input": GIVEN}],
        },
    },
    {
        "type": "message",
        "id": "r",
        "timestamp": f"{AT}3.000Z",
        "message": {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "no rule", "is_error": True}],
        },
    },
    {"type": "message", "id": "a2", "timestamp": f"{AT}4.000Z", "message": {"role": "assistant", "content": _text(DONE)}},
    {"type": "todo_state", "id": "x", "todos": []},
)


def _qwen(second: int, kind: str, **more: object) -> dict[str, object]:
    head = {"uuid": f"q{second}", "parentUuid": None, "sessionId": "qwen-1", "timestamp": f"{AT}{second}.000Z", "type": kind}
    return {**head, "cwd": "/work/shop", "version": "0.15.10", "gitBranch": "main", **more}


QWEN = lines(
    _qwen(1, "user", message={"role": "user", "parts": [{"text": PROMPT}]}),
    _qwen(1, "system", subtype="ui_telemetry", systemPayload={"uiEvent": {"event.name": "qwen-code.api_response"}}),
    _qwen(
        2,
        "assistant",
        model="qwen3-coder",
        message={
            "role": "model",
            "parts": [
                {"text": "Hm", "thought": True},
                {"text": ANSWER},
                {"functionCall": {"id": "t1", "name": "run_shell_command", "args": GIVEN}},
            ],
        },
        usageMetadata={
            "promptTokenCount": 117,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 0,
            "totalTokenCount": 122,
            "cachedContentTokenCount": 100,
        },
    ),
    _qwen(
        3,
        "tool_result",
        message={
            "role": "user",
            "parts": [{"functionResponse": {"id": "t1", "name": "run", "response": {"error": "no rule"}}}],
        },
        toolCallResult={"callId": "t1", "status": "error"},
    ),
    _qwen(
        4,
        "assistant",
        model="qwen3-coder",
        message={"role": "model", "parts": [{"text": DONE}]},
        usageMetadata={"promptTokenCount": 117, "candidatesTokenCount": 5, "cachedContentTokenCount": 100},
    ),
    _qwen(5, "system", subtype="custom_title", systemPayload={"customTitle": "Mend the prices"}),
)

_GPTME_USAGE = {"input_tokens": 17, "output_tokens": 5, "cache_read_tokens": 100, "reasoning_tokens": 0}
_GPTME = {"model": "openai/gpt-5", "served_model": "gpt-5", "usage": _GPTME_USAGE}
GPTME = lines(
    {"role": "system", "content": "You are gptme", "timestamp": f"{AT}0", "pinned": True, "hide": True},
    {"role": "user", "content": PROMPT, "timestamp": f"{AT}1"},
    {
        "role": "assistant",
        "content": f"{ANSWER}\n@shell(t1): {json.dumps(GIVEN)}",
        "timestamp": f"{AT}2",
        "metadata": _GPTME,
    },
    {"role": "system", "content": "no rule", "timestamp": f"{AT}3", "call_id": "t1", "metadata": {"tool": "shell"}},
    {"role": "assistant", "content": DONE, "timestamp": f"{AT}4", "metadata": _GPTME},
)

_CLINE = {
    "modelInfo": {"id": "claude-opus-4-5", "provider": "anthropic"},
    "metrics": {"inputTokens": 117, "outputTokens": 5, "cacheReadTokens": 100, "cacheWriteTokens": 7},
}
CLINE = json.dumps(
    {
        "version": 1,
        "sessionId": "cline-1",
        "origin": {"source": "cli", "version": "3.0.65"},
        "messages": [
            {"id": "u", "role": "user", "content": _text(f'<user_input mode="act">{PROMPT}</user_input>'), "ts": MS + 1000},
            {
                "id": "a1",
                "role": "assistant",
                "content": [*_text(ANSWER), {"type": "tool_use", "id": "t1", "name": "run_commands", "input": GIVEN}],
                "ts": MS + 2000,
                **_CLINE,
            },
            {
                "id": "r",
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t1", "content": _text("no rule"), "is_error": True}],
                "ts": MS + 3000,
            },
            {"id": "a2", "role": "assistant", "content": _text(DONE), "ts": MS + 4000, **_CLINE},
        ],
    }
).encode()


def _amp_usage(second: int) -> dict[str, object]:
    counts = {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 100, "cacheCreationInputTokens": 7}
    return {"model": "claude-opus-4-5", **counts, "timestamp": f"{AT}{second}.000Z"}


AMP = json.dumps(
    {
        "v": 0,
        "id": "T-1",
        "created": MS,
        "title": "Mend the prices",
        "env": {"initial": {"trees": [{"uri": "file:///work/shop"}], "platform": {"clientVersion": "1.2"}}},
        "messages": [
            {"role": "user", "messageId": 0, "content": _text(PROMPT), "meta": {"sentAt": MS + 1000}},
            {
                "role": "assistant",
                "messageId": 1,
                "content": [*_text(ANSWER), {"type": "tool_use", "id": "t1", "name": "Bash", "input": GIVEN}],
                "usage": _amp_usage(2),
            },
            {
                "role": "user",
                "messageId": 2,
                "content": [{"type": "tool_result", "toolUseID": "t1", "run": {"status": "error", "result": "no rule"}}],
                "meta": {"sentAt": MS + 3000},
            },
            {"role": "assistant", "messageId": 3, "content": _text(DONE), "usage": _amp_usage(4)},
        ],
    }
).encode()


def _mini(id: str, second: int, said: str, tools: object) -> dict[str, object]:
    usage = {"prompt_tokens": 117, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 100}}
    response = {"id": id, "created": MS // 1000 + second, "model": "gpt-5", "usage": usage}
    extra = {"response": response, "timestamp": MS / 1000 + second, "cost": 0.0}
    return {"role": "assistant", "content": said, "tool_calls": tools, "extra": extra}


MINI = json.dumps(
    {
        "info": {"mini_version": "2.4.6", "model_stats": {"api_calls": 2}},
        "trajectory_format": "mini-swe-agent-1.1",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant"},
            {"role": "user", "content": PROMPT},
            _mini(
                "chatcmpl-1",
                2,
                ANSWER,
                [{"id": "t1", "type": "function", "function": {"name": "bash", "arguments": json.dumps(GIVEN)}}],
            ),
            {
                "role": "tool",
                "content": "no rule",
                "tool_call_id": "t1",
                "extra": {"returncode": 2, "timestamp": MS / 1000 + 3},
            },
            {
                "role": "user",
                "content": "Tool call error: no tool",
                "extra": {
                    "response": {
                        **_mini("chatcmpl-2", 4, DONE, None)["extra"]["response"],  # type: ignore[index]  # made above
                        "choices": [{"message": {"content": DONE, "role": "assistant"}}],
                    }
                },
            },
            {"role": "exit", "content": "", "extra": {"exit_status": "Submitted"}},
        ],
    },
    indent=2,
).encode()


# -- logs of events ------------------------------------------------------------------------------------------------------


def _copilot(second: int, kind: str, **data: object) -> dict[str, object]:
    return {"type": kind, "data": data, "id": f"e{second}", "timestamp": f"{AT}{second}.000Z", "parentId": None}


def _copilot_usage(second: int, id: str) -> dict[str, object]:
    counts = {"inputTokens": 117, "outputTokens": 5, "cacheReadTokens": 100, "cacheWriteTokens": 0, "reasoningTokens": 2}
    return _copilot(second, "session.usage_record", usage={"model": "gpt-5.4", **counts, "apiCallId": id})


COPILOT = lines(
    _copilot(
        0,
        "session.start",
        sessionId="copilot-1",
        copilotVersion="1.0.102",
        selectedModel="gpt-5.4",
        context={"cwd": "/work/shop", "branch": "main"},
    ),
    _copilot(1, "user.message", content=PROMPT, transformedContent="<current_datetime>…"),
    _copilot(1, "user.message", content="A skill", source="skill-pdf"),
    _copilot_usage(2, "chatcmpl-1"),
    _copilot(
        2,
        "assistant.message",
        messageId="m1",
        model="gpt-5.4",
        content=ANSWER,
        reasoningText="Hm",
        toolRequests=[{"toolCallId": "t1", "name": "bash", "arguments": GIVEN, "type": "function"}],
        apiCallId="chatcmpl-1",
    ),
    _copilot(3, "tool.execution_complete", toolCallId="t1", success=False, error={"message": "no rule"}),
    _copilot_usage(4, "chatcmpl-2"),
    _copilot(4, "assistant.message", messageId="m2", model="gpt-5.4", content=DONE, toolRequests=[], apiCallId="chatcmpl-2"),
    _copilot(5, "session.title_changed", title="Mend the prices"),
)


def _kimi(second: int, kind: str, **more: object) -> dict[str, object]:
    return {"type": kind, "agentId": "main", **more, "time": MS + 1000 * second}


def _step(second: int, kind: str, **more: object) -> dict[str, object]:
    return _kimi(second, "context.append_loop_event", event={"type": kind, **more})


_KIMI_USAGE = {"inputOther": 17, "output": 5, "inputCacheRead": 100, "inputCacheCreation": 0}
KIMI = lines(
    {"type": "metadata", "protocol_version": "1.5", "created_at": MS},
    _kimi(1, "turn.prompt", input=_text(PROMPT), origin={"kind": "user"}),
    _step(1, "step.begin", uuid="s1", step=1),
    _kimi(1, "llm.request", provider="kimi", model="kimi-k3"),
    _step(2, "content.part", stepUuid="s1", part={"type": "think", "think": "Hm"}),
    _step(2, "content.part", stepUuid="s1", part={"type": "text", "text": ANSWER}),
    _step(2, "tool.call", stepUuid="s1", toolCallId="t1", name="Bash", args=GIVEN),
    _step(3, "tool.result", toolCallId="t1", result={"output": "no rule", "isError": True}),
    _step(3, "step.end", uuid="s1", usage=_KIMI_USAGE, messageId="chatcmpl-1"),
    _step(4, "step.begin", uuid="s2", step=2),
    _step(4, "content.part", stepUuid="s2", part={"type": "text", "text": DONE}),
    _step(4, "step.end", uuid="s2", usage=_KIMI_USAGE, messageId="chatcmpl-2"),
)


def _vibe(second: int, **command: object) -> dict[str, object]:
    given = {"command": command, "determinism": {"time_unix_ms": MS + 1000 * second}}
    return {"type": "core_input", "sequence": second, "payload": {"input": given}}


_VIBE_USAGE = {"input_tokens": 117, "output_tokens": 5, "cached_input_tokens": 100, "cache_write_tokens": 0}
VIBE = lines(
    {"type": "command_reserved", "sequence": 0, "payload": {"method": "turn/start"}},
    _vibe(1, type="user_message", content=_text(PROMPT), turn_id="turn-1"),
    _vibe(
        2,
        type="completion_succeeded",
        action_id="x1",
        result={
            "finish_reason": "tool_call",
            "parts": [*_text(ANSWER), {"type": "tool_call", "id": "t1", "name": "bash", "arguments_json": json.dumps(GIVEN)}],
            "usage": _VIBE_USAGE,
        },
    ),
    _vibe(3, type="tool_failed", action_id="x2", call_id="t1", error="no rule"),
    _vibe(4, type="completion_succeeded", action_id="x3", result={"parts": _text(DONE), "usage": _VIBE_USAGE}),
)

_OWN_USAGE = {"input": 17, "output": 5, "cache_read": 100}
OWN = lines(
    {"kind": "session", "time": f"{AT}0Z", "folder": "/work/shop", "text": "Mend the prices", "version": "2"},
    {"kind": "prompt", "time": f"{AT}1Z", "text": PROMPT},
    {
        "kind": "answer",
        "time": f"{AT}2Z",
        "id": "r1",
        "text": ANSWER,
        "thinking": "Hm",
        "model": "gpt-5",
        "provider": "openai",
        "usage": _OWN_USAGE,
        "tools": [{"id": "t1", "name": "bash", "input": GIVEN}],
        "paths": ["/work/shop/prices.py"],
    },
    {"kind": "result", "time": f"{AT}3Z", "id": "t1", "text": "no rule", "is_error": True},
    {"kind": "answer", "time": f"{AT}4Z", "text": DONE, "model": "gpt-5", "usage": _OWN_USAGE},
)


# -- databases, a value a line -------------------------------------------------------------------------------------------


def _goose(id: int, role: str, content: object) -> dict[str, object]:
    row = {"id": id, "session_id": "goose-1", "role": role, "content_json": json.dumps(content)}
    return {"message": {**row, "created_timestamp": MS // 1000 + id, "parts": []}}


GOOSE = lines(
    {
        "session": {
            "id": "goose-1",
            "root": "goose-1",
            "name": "Mend the prices",
            "working_dir": "/work/shop",
            "model_config_json": json.dumps({"model_name": "gpt-5"}),
            "accumulated_input_tokens": 34,
            "accumulated_output_tokens": 10,
        }
    },
    _goose(1, "user", _text(PROMPT)),
    _goose(
        2,
        "assistant",
        [
            *_text(ANSWER),
            {
                "type": "toolRequest",
                "id": "t1",
                "toolCall": {"status": "success", "value": {"name": "developer__shell", "arguments": GIVEN}},
            },
        ],
    ),
    _goose(
        3,
        "user",
        [{"type": "toolResponse", "id": "t1", "toolResult": {"status": "error", "error": "no rule"}}],
    ),
    _goose(4, "assistant", _text(DONE)),
)


def _crush(id: str, second: int, role: str, *parts: tuple[str, object]) -> dict[str, object]:
    packed = json.dumps([{"type": kind, "data": data} for kind, data in parts])
    row = {"id": id, "session_id": "crush-1", "role": role, "parts": packed, "model": "gpt-5", "provider": "openai"}
    return {"message": {**row, "created_at": MS // 1000 + second, "finished_at": MS // 1000 + second, "parts_": []}}


CRUSH = lines(
    {"session": {"id": "crush-1", "root": "crush-1", "title": "Mend the prices", "created_at": MS // 1000}},
    _crush("m1", 1, "user", ("text", {"text": PROMPT}), ("finish", {"reason": "stop"})),
    _crush(
        "m2",
        2,
        "assistant",
        ("reasoning", {"thinking": "Hm"}),
        ("text", {"text": ANSWER}),
        ("tool_call", {"id": "t1", "name": "bash", "input": json.dumps(GIVEN), "finished": True}),
    ),
    _crush("m3", 3, "tool", ("tool_result", {"tool_call_id": "t1", "name": "bash", "content": "no rule", "is_error": True})),
    _crush("m4", 4, "assistant", ("text", {"text": DONE})),
)

# (agent, path) -> the content; a database has a value a line
OTHERS: dict[tuple[str, str], bytes] = {
    ("pi", "--work-shop--/2026_pi-1.jsonl"): PI,
    ("droid", "-work-shop/droid-1.jsonl"): DROID,
    ("qwen", "-work-shop/chats/qwen-1.jsonl"): QWEN,
    ("gptme", "2026-11-01-red-cat/conversation.jsonl"): GPTME,
    ("cline", "cline-1/cline-1.messages.json"): CLINE,
    ("amp", "T-1.json"): AMP,
    ("mini", "last_mini_run.traj.json"): MINI,
    ("copilot", "copilot-1/events.jsonl"): COPILOT,
    ("kimi", "wd_shop/session_1/agents/main/wire.jsonl"): KIMI,
    ("vibe", "unified/vibe-1/journal/0000000000000001.jsonl"): VIBE,
    ("own", "shopbot/run-1.jsonl"): OWN,
    ("goose", "sessions.db#goose-1"): GOOSE,
    ("crush", "crush.db#crush-1"): CRUSH,
}
# The file that says more about the session of one of them
BESIDE: dict[str, tuple[str, dict[str, object]]] = {
    "droid": (
        "-work-shop/droid-1.settings.json",
        {
            "model": "claude-opus-4-5",
            "tokenUsage": {
                "inputTokens": 20,
                "outputTokens": 10,
                "cacheReadTokens": 200,
                "cacheCreationTokens": 14,
                "thinkingTokens": 3,
            },
        },
    ),
    "cline": ("cline-1/cline-1.json", {"cwd": "/work/shop", "metadata": {"title": "Mend the prices"}, "started_at": f"{AT}0Z"}),
    "kimi": ("wd_shop/session_1/state.json", {"cwd": "/work/shop", "title": "Mend the prices", "createdAt": MS}),
    "vibe": (
        "unified/vibe-1/meta.json",
        {
            "environment": {"working_directory": "/work/shop"},
            "git_branch": "main",
            "title": "Mend the prices",
            "config": {"model_name": "devstral"},
            "start_time": f"{AT}0Z",
        },
    ),
}
