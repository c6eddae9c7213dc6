"""What the fuzzing of each provider begins with: the request, the answers and the streams of its case, and some oddities."""

from __future__ import annotations

from collections.abc import Iterable

from agentsight_rx.llm import PROVIDERS
from property_tests.fuzz.choices import spelled
from tests.llm.cases import case_of
from tests.provider_component import ProviderCase

__all__ = ["LLM_SEEDS", "LLM_TARGETS"]

_CASES = tuple(map(case_of, PROVIDERS))

# Requests are read as if they were sent to one of these
LLM_TARGETS = (
    *(case.path for case in _CASES),
    "/v1beta/models/gemini-%41:streamGenerateContent?alt=sse",
    "/openai/deployments/a%zz/chat/completions",
)

_ERROR = b'{"error":{"type":"a","message":"b","code":1}}'

# Events that no case has: texts that are cut in the middle of a character, an end after the end, and messages in a row
_ODD = {
    "anthropic": (
        b'{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\\ud83d\\ude00"}}',
        b'{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"\\ud800"}}',
        b'{"type":"message_stop"}',
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    ),
    "gemini": (
        b'{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"index":0,"finishReason":"STOP"}]}',
        b'{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"index":0,"finishReason":"OTHER"}]}',
    ),
    "mcp": (
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}',
        b'{"jsonrpc":"2.0","method":"notifications/progress"}',
    ),
}


def _of(case: ProviderCase) -> dict[str, list[bytes]]:
    name, sizes = case.provider.name, (0, 1, 8)
    events = [event.data.encode() for event in case.events] + list(_ODD.get(name, ()))
    return {
        f"{name}_request": [spelled(case.request, target) for target in range(len(LLM_TARGETS))],
        f"{name}_response": [spelled(case.response), spelled(case.failed), spelled(_ERROR)],
        f"{name}_stream": [spelled(_stream(events[start:]), size) for start in range(len(events)) for size in sizes],
    }


def _stream(datas: Iterable[bytes]) -> bytes:
    return b"".join(b"data: %b\n\n" % data.replace(b"\n", b"\ndata: ") for data in datas)


LLM_SEEDS: dict[str, list[bytes]] = {name: seeds for case in _CASES for name, seeds in _of(case).items()}
