"""Any JSON with the names of a dialect, from both ends: every request is JSON, and a snapshot anywhere changes nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.operators.sessions.websocket_dialects import RealtimeTalk, ResponsesTalk
from agentsight_rx.operators.sessions.websocket_gemini import GeminiLiveTalk
from agentsight_rx.operators.sessions.websocket_talk import Question, Talk

_TYPES = [
    *("response.create", "session.update", "conversation.item.create", "input_audio_buffer.append", "error"),
    *("input_audio_buffer.commit", "input_audio_buffer.clear", "input_audio_buffer.committed", "session.created"),
    *("response.created", "response.output_text.delta", "response.done"),
    "conversation.item.input_audio_transcription.completed",
]
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.text(max_size=5),
    st.sampled_from(["a", "none", "A" * 2000, "A" * 1999 + '"', "data:a/b;base64," + "A" * 2000, "x" * 600_000]),
)
_OPENAI_NAMES = st.sampled_from(
    ["session", "item", "response", "audio", "transcript", "error", "event_id", "id", "response_id"]
)
_GOOGLE_NAMES = st.sampled_from(
    [
        *("setup", "clientContent", "client_content", "realtimeInput", "toolResponse", "serverContent", "toolCall"),
        *("turns", "turnComplete", "turn_complete", "audio", "mediaChunks", "data", "mimeType", "text", "id"),
        *("functionResponses", "functionCalls", "modelTurn", "usageMetadata"),
    ]
)


def _values(names: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    def deeper(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
        return st.one_of(st.lists(inner, max_size=2), st.dictionaries(names, inner, max_size=3))

    return st.recursive(_LEAVES, deeper, max_leaves=6)


def _typed(kind: str, rest: dict[str, object]) -> dict[str, object]:
    return {"type": kind, **rest}


_OPENAI = st.builds(_typed, st.sampled_from(_TYPES), st.dictionaries(_OPENAI_NAMES, _values(_OPENAI_NAMES)))
_GOOGLE = st.dictionaries(_GOOGLE_NAMES, _values(_GOOGLE_NAMES), max_size=3)
_CONVERSATIONS = st.lists(st.tuples(st.booleans(), st.one_of(_OPENAI, _GOOGLE), st.booleans()), max_size=8)


@pytest.mark.parametrize("kind", [RealtimeTalk, GeminiLiveTalk, ResponsesTalk])
@given(conversation=_CONVERSATIONS)
@settings(max_examples=120, deadline=None)
def test_every_request_is_json_and_a_snapshot_changes_nothing(
    kind: type[Talk], conversation: list[tuple[bool, dict[str, object], bool]]
) -> None:
    one, other = kind(), kind()
    for by_client, said, by_itself in conversation:
        message = json.dumps(said).encode()
        fresh = kind()
        fresh.restore(other.snapshot())
        other = fresh
        made = one.take_client(message) if by_client else one.take_server(message)
        assert made == (other.take_client(message) if by_client else other.take_server(message))
        unasked = one.unasked() if by_itself else None
        assert unasked == (other.unasked() if by_itself else None)
        for question in (made, unasked):
            if isinstance(question, Question):
                assert isinstance(json.loads(question.body), dict)
                assert question.lost >= 0
        assert one.kept() == other.kept() <= 3 << 20
