"""WebSocket messages of the Gemini Live API (ai.google.dev/api/live) -> its requests and answers."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct, field

from .websocket_talk import NO_ANSWER, Parts, Question, ServerEvent, Talk, elements, joined, read, size_of_base64, without_media

_SETUP_MOST = 256 << 10  # bytes; instructions and tools of a session have a few KiB
_MEDIA_MOST = 16  # kinds of media that are counted apart
_CALLS_MOST = 128  # calls of tools whose results are waited for
_NAME_MOST = 100  # characters of a media type or an id


class _Content(Struct):
    """Names come from Google's JSON, which may also be spelled as in its protocol buffers."""

    turns: Raw = Raw()
    turn_complete: bool | None = None
    turn_complete_: bool | None = field(default=None, name="turnComplete")


class _Blob(Struct):
    data: Raw = Raw()
    mime_type: str = ""
    mime_type_: str = field(default="", name="mimeType")


class _Input(Struct):
    audio: _Blob | None = None
    video: _Blob | None = None
    text: Raw = Raw()
    media_chunks: list[_Blob] | None = None
    media_chunks_: list[_Blob] | None = field(default=None, name="mediaChunks")

    def blobs(self) -> list[_Blob]:
        return [blob for blob in (self.audio, self.video, *(self.media_chunks or self.media_chunks_ or ())) if blob]


class _Answers(Struct):
    function_responses: Raw = Raw()
    function_responses_: Raw = field(default=Raw(), name="functionResponses")


class _Client(Struct):
    setup: Raw = Raw()
    client_content: _Content | None = None
    client_content_: _Content | None = field(default=None, name="clientContent")
    realtime_input: _Input | None = None
    realtime_input_: _Input | None = field(default=None, name="realtimeInput")
    tool_response: _Answers | None = None
    tool_response_: _Answers | None = field(default=None, name="toolResponse")


class _Named(Struct):
    id: str | None = None


class _Calls(Struct):
    function_calls: list[_Named] = field(default=[], name="functionCalls")


class _Given(Struct):
    model_turn: Raw = field(default=Raw(), name="modelTurn")
    input_transcription: Raw = field(default=Raw(), name="inputTranscription")
    output_transcription: Raw = field(default=Raw(), name="outputTranscription")
    turn_complete: bool | None = field(default=None, name="turnComplete")


class _Server(Struct):
    server_content: _Given | None = field(default=None, name="serverContent")
    tool_call: _Calls | None = field(default=None, name="toolCall")
    usage_metadata: Raw = field(default=Raw(), name="usageMetadata")


class _State(Struct, array_like=True):
    setup: bytes = b""
    contents: Parts = field(default_factory=Parts)
    answers: Parts = field(default_factory=Parts)
    media: dict[str, int] = {}  # bytes of each media type that are in no content yet
    awaited: list[str] = []  # calls of tools without a result
    turn: int = 0  # of the model


_CLIENT = msgspec.json.Decoder(_Client)
_SERVER = msgspec.json.Decoder(_Server)
_NAMES = msgspec.json.Decoder(list[_Named] | _Named)


class GeminiLiveTalk(Talk):
    """
    A request is `{"setup": …, "contents": […], "toolResponses": […]}`: the messages since the request before, media as their
    size alone. An answer is one turn of the model, or what it says up to a call of tools.
    """

    kinds = ("text", "binary")  # the server sends its JSON as binary
    one_at_a_time = True

    def __init__(self) -> None:
        self._state = _State()

    def take_client(self, message: bytes, /) -> Question | None:
        said = read(_CLIENT, message)
        if said is None:
            return None
        if said.setup:
            self._state = _State(setup=_short(without_media(said.setup)), turn=self._state.turn)
        if given := said.realtime_input or said.realtime_input_:
            self._hear(given)
        content, results = said.client_content or said.client_content_, said.tool_response or said.tool_response_
        complete = content is not None and self._add(content)
        answered = results is not None and self._answer(results.function_responses or results.function_responses_)
        return self.unasked() if complete or answered else None

    def take_server(self, message: bytes, /) -> ServerEvent:
        said, state = read(_SERVER, message), self._state
        if said is None:
            return NO_ANSWER
        key = str(state.turn)
        if said.tool_call is not None:
            ids = [call.id for call in said.tool_call.function_calls[:_CALLS_MOST] if call.id]
            state.awaited = [each for each in ids if len(each) <= _NAME_MOST]
            state.turn += 1
            return ServerEvent("toolCall", key, begins="unasked", ends=True)
        given = said.server_content
        if given is None:
            return ServerEvent("usageMetadata", key) if said.usage_metadata else NO_ANSWER
        says = given.model_turn or given.input_transcription or given.output_transcription
        if given.turn_complete:
            state.turn += 1
        return ServerEvent("serverContent", key, begins="unasked" if says else "", ends=bool(given.turn_complete))

    def unasked(self) -> Question:
        self._flush()
        contents, lost = self._state.contents.taken()
        answers, more = self._state.answers.taken()
        return Question(joined(setup=self._state.setup, contents=contents, toolResponses=answers), lost + more)

    def kept(self) -> int:
        return self._state.contents.size + self._state.answers.size + len(self._state.setup)

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes, /) -> None:
        self._state = msgspec.msgpack.decode(state, type=_State)

    def _add(self, content: _Content) -> bool:
        """Add turns; True if the model is to answer."""
        self._flush()
        if turns := elements(content.turns):
            self._state.contents.add(without_media(turns))
        return bool(content.turn_complete or content.turn_complete_)

    def _answer(self, results: Raw) -> bool:
        """Add results of tools; True if none is missing, so that the model goes on."""
        if given := elements(results):
            self._state.answers.add(without_media(given))
        named = read(_NAMES, results) if results else None
        names = [named] if isinstance(named, _Named) else named or []
        done = {name.id for name in names}
        self._state.awaited = [each for each in self._state.awaited if each not in done]
        return not self._state.awaited

    def _hear(self, given: _Input) -> None:
        media = self._state.media
        for blob in given.blobs():
            kind = (blob.mime_type or blob.mime_type_)[:_NAME_MOST]
            if kind in media or len(media) < _MEDIA_MOST:
                media[kind] = media.get(kind, 0) + size_of_base64(blob.data)
        if given.text:
            self._flush()
            self._say(joined(text=bytes(given.text)))

    def _flush(self) -> None:
        """The media so far become a content."""
        for kind, size in self._state.media.items():
            blob = joined(mimeType=msgspec.json.encode(kind), data=b'{"omitted_bytes":%d}' % size)
            self._say(joined(inlineData=blob))
        self._state.media = {}

    def _say(self, part: bytes) -> None:
        self._state.contents.add(joined(role=b'"user"', parts=b"[" + part + b"]"))


def _short(setup: bytes) -> bytes:
    return setup if len(setup) <= _SETUP_MOST else b""
