"""The path of a WebSocket -> the dialect in which a model is called on it; two of them, Realtime and Responses."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct, field

from ...core.start import regex
from ...llm import find
from .websocket_gemini import GeminiLiveTalk
from .websocket_talk import NO_ANSWER, Parts, Question, ServerEvent, Talk, joined, read, size_of_base64, without_media

# -- websocket realtime --------------------------------------------------------------------------------------------
# WebSocket messages of OpenAI's Realtime API (platform.openai.com/docs/guides/realtime) -> its requests and answers.


_SESSION_MOST = 256 << 10  # bytes; instructions and tools of a session have a few KiB
_KEY_MOST = 200  # characters; ids have 30
_CREATED_MOST = 64  # requests whose ids are kept: as many as may be open


class _Response(Struct):
    id: object = None
    conversation: object = None


class _Failure(Struct):
    event_id: object = None


class _Said(Struct):
    """The fields of a message that count here. A peer may send any value in them."""

    type: str
    event_id: object = None
    response_id: object = None
    item_id: object = None
    session: Raw = Raw()
    item: Raw = Raw()
    response: Raw = Raw()
    error: Raw = Raw()
    audio: Raw = Raw()
    transcript: Raw = Raw()


class _State(Struct, array_like=True):
    session: bytes = b""
    items: Parts = field(default_factory=Parts)
    audio: int = 0  # bytes of sound that are in no item yet
    commits: int = 0  # by the client, that the server has not confirmed
    created: list[str] = []  # ids that the client gave its requests


_SAID = msgspec.json.Decoder(_Said)
_RESPONSE = msgspec.json.Decoder(_Response)
_FAILURE = msgspec.json.Decoder(_Failure)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])


class RealtimeTalk(Talk):
    """
    A request is `{"type": "response.create", "session": …, "items": […], "response": …}`: the settings of the session, the
    items that were added to the conversation since the request before, sound as its size alone, and the settings of this
    response.
    """

    def __init__(self) -> None:
        self._state = _State()

    def take_client(self, message: bytes, /) -> Question | None:
        said, state = read(_SAID, message), self._state
        if said is None:
            return None
        match said.type:
            case "response.create":
                return self._create(said)
            case "session.update":
                self._settle(said.session, whole=False)
            case "conversation.item.create" if said.item:
                state.items.add(without_media(said.item))
            case "input_audio_buffer.append":
                state.audio += size_of_base64(said.audio)
            case "input_audio_buffer.commit":
                self._commit()
                state.commits += 1
            case "input_audio_buffer.clear":
                state.audio = 0
            case _:
                pass
        return None

    def take_server(self, message: bytes, /) -> ServerEvent:
        said = read(_SAID, message)
        if said is None:
            return NO_ANSWER
        if said.type.startswith("response."):
            response = read(_RESPONSE, said.response) if said.response else None
            return ServerEvent(
                said.type,
                key=_text(said.response_id) or _text(response.id if response else None),
                begins="unasked",
                late=said.type != "response.created",
                ends=said.type == "response.done",
            )
        if said.type == "error":
            return self._failure(said)
        self._note(said)
        return NO_ANSWER

    def unasked(self) -> Question:
        return self._question(b"{}")

    def kept(self) -> int:
        return self._state.items.size + len(self._state.session)

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes, /) -> None:
        self._state = msgspec.msgpack.decode(state, type=_State)

    def _create(self, said: _Said) -> Question:
        if event_id := _text(said.event_id):
            self._state.created = [*self._state.created[1 - _CREATED_MOST :], event_id]
        response = (read(_RESPONSE, said.response) if said.response else None) or _Response()
        own = without_media(said.response) if said.response else b"{}"
        if response.conversation == "none":  # it has an input of its own, and the items stay for the next one
            return Question(joined(type=b'"response.create"', session=self._state.session, items=b"[]", response=own))
        return self._question(own)

    def _question(self, response: bytes) -> Question:
        self._commit()
        items, lost = self._state.items.taken()
        return Question(joined(type=b'"response.create"', session=self._state.session, items=items, response=response), lost)

    def _failure(self, said: _Said) -> ServerEvent:
        """An error ends the request that it names, or the one that waits if it names none; others are about other messages."""
        failure = read(_FAILURE, said.error) if said.error else None
        named = _text(failure.event_id) if failure else ""
        return NO_ANSWER if named and named not in self._state.created else ServerEvent("error", begins="asked", ends=True)

    def _note(self, said: _Said) -> None:
        """What the server says besides answers: the settings that hold, and what it made of sound."""
        match said.type:
            case "session.created" | "session.updated":
                self._settle(said.session, whole=True)
            case "input_audio_buffer.committed":
                if self._state.commits:
                    self._state.commits -= 1
                else:
                    self._commit()
            case "conversation.item.input_audio_transcription.completed" if said.transcript:
                self._heard(joined(type=b'"input_audio"', transcript=bytes(said.transcript)))
            case _:
                pass

    def _settle(self, session: Raw, *, whole: bool) -> None:
        """The server states all settings, the client only changes."""
        text = bytes(session)
        if not text.startswith(b"{") or len(text) > _SESSION_MOST:
            return
        before = b"" if whole else self._state.session
        old, new = read(_FIELDS, before) if before else {}, read(_FIELDS, text)
        made = msgspec.json.encode({**(old or {}), **(new or {})})
        if len(made) <= _SESSION_MOST:
            self._state.session = made

    def _commit(self) -> None:
        """The sound so far becomes an item."""
        if self._state.audio:
            self._heard(b'{"type":"input_audio","audio":{"omitted_bytes":%d}}' % self._state.audio)
            self._state.audio = 0

    def _heard(self, content: bytes) -> None:
        self._state.items.add(joined(type=b'"message"', role=b'"user"', content=b"[" + content + b"]"))


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _KEY_MOST else ""


# -- websocket responses -------------------------------------------------------------------------------------------
# WebSocket messages of OpenAI's Responses API (platform.openai.com/docs/guides/websocket-mode) -> its requests and answers.


class _Identified(Struct):
    """The fields that identify a message. A peer may send any value in them."""

    type: object = None
    status: object = None


_IDENTIFIED = msgspec.json.Decoder(_Identified)


class ResponsesTalk(Talk):
    """Each `response.create` is a request; the events after it are its answer, which has the same types as over HTTP."""

    in_order = True

    def take_client(self, message: bytes, /) -> Question | None:
        said = read(_IDENTIFIED, message)
        return Question(message) if said is not None and said.type == "response.create" else None

    def take_server(self, message: bytes, /) -> ServerEvent:
        said = read(_IDENTIFIED, message)
        if said is None or not isinstance(said.type, str):
            return NO_ANSWER
        known = said.type == "error" or said.type.startswith("response.")
        return ServerEvent(
            said.type, begins="unasked" if known else "", late=said.type != "response.created", status=said.status
        )


# ------------------------------------------------------------------------------------------------------------------------


# Found in the path, without query
DIALECTS: tuple[tuple[re.Pattern[str], type[Talk]], ...] = (
    (regex(r"/realtime/?$"), RealtimeTalk),
    (regex(r"BidiGenerateContent(?:Constrained)?$"), GeminiLiveTalk),
)


def talk_at(host: str, target: str) -> type[Talk] | None:
    """The dialect; None where no model is called. The other APIs of models, where they are on a WebSocket, speak Responses."""
    path = target.partition("?")[0]
    found = next((talk for pattern, talk in DIALECTS if pattern.search(path)), None)
    return found or (ResponsesTalk if find(host, target) is not None else None)
