"""
HTTPS requests of an LLM client -> answers of a fake model: Anthropic Messages and OpenAI Chat, plain and streamed.

    python -m agentsight_rx.demo.fake_llm --dir DIR

listens on 127.0.0.1, prints its port and writes DIR/ca.pem, which clients must trust. DIR/exchanges.jsonl says what really went
over the wire, one line an exchange: the truth that a trace of the client is compared with.

The model asks for the first tool that it is offered, tells what the tool said, and otherwise talks about the prompt. Where the
prompt says `size=N`, its text has N bytes. The same request always gets the same answer, apart from ids and dates. Shapes:
https://docs.claude.com/en/api/messages-streaming, https://platform.openai.com/docs/api-reference/chat-streaming.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, TextIO

import trustme

__all__ = ["main"]

_LARGEST_BODY = 64 << 20  # twice what the real APIs take (32 MB)
_STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def main() -> int:
    """Serve until SIGTERM, SIGINT or, if asked, the end of stdin."""
    options = _options()
    directory: Path = options.dir
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # else stop() and clients that just leave end in a TLS alert
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # or takes pyOpenSSL's, not installed

    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    with (directory / "exchanges.jsonl").open("w", encoding="utf-8") as log:
        model = _Model(log, options.tool_command, close=options.close)
        server = _Server(("127.0.0.1", options.port), partial(_Connection, model), context)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        if options.until_eof:
            threading.Thread(target=_stop_at_eof, daemon=True).start()
        print(server.server_address[1], flush=True)
        signal.sigwait(_STOP_SIGNALS)
        server.stop()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake_llm", description="A fake LLM server for demonstrations and tests.")
    parser.add_argument("--dir", type=Path, required=True, help="where ca.pem and exchanges.jsonl are written")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--tool-command", default="echo hello from the tool", help="what the model asks the shell to run")
    parser.add_argument("--close", action="store_true", help="close each connection after its first response")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin does")
    return parser.parse_args()


def _stop_at_eof() -> None:
    while os.read(0, 65_536):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class _Server(ThreadingMixIn, TCPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Callable[..., _Connection], context: ssl.SSLContext) -> None:
        self._context = context
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, client = super().get_request()
        # No handshake here: a slow client would keep the others from being accepted.
        connection = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, client

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        with contextlib.suppress(OSError):
            request.settimeout(0)  # say close_notify, but do not wait for the client to say it too
            request.unwrap()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # that a client goes away or does not trust us is not our error
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Take no more requests, finish the responses that are under way, and end."""
        self.shutdown()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                # SSLSocket.shutdown() would drop the TLS state and with it the rest of the response.
                socket.socket.shutdown(connection, socket.SHUT_RD)
        self.server_close()


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # each event of a stream is to leave at once
    timeout = 60  # seconds; a client that is silent for longer is gone

    def __init__(self, model: _Model, *args: Any) -> None:
        self._model = model
        self._number = next(model.connections)
        super().__init__(*args)

    def _exchange(self) -> None:
        number = next(self._model.numbers)
        try:
            body = b"".join(_body(self.rfile, self.headers))
        except ValueError as error:
            body, reply = b"", _error(400, "invalid_request_error", str(error), close=True)
        else:
            reply = self._model.reply(number, self.command, self.path, body)
        if self.command == "HEAD":
            reply = replace(reply, parts=())
        headers = self._send(reply, f"req_{number:024d}")
        self._model.record(
            {
                "n": number,
                "connection": self._number,
                "method": self.command,
                "path": self.path,
                "request_body_hex": body.hex(),
                "status": reply.status,
                "response_headers": headers,
                "response_body_hex": b"".join(reply.parts).hex(),
            }
        )

    do_HEAD = do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _exchange

    def _send(self, reply: _Reply, request_id: str) -> dict[str, str]:
        headers = {"date": self.date_time_string(), "server": "fake-llm", "request-id": request_id} | reply.headers
        if reply.streamed:
            headers["transfer-encoding"] = "chunked"
        else:
            headers["content-length"] = str(sum(map(len, reply.parts)))
        headers["connection"] = "close" if self.close_connection or self._model.close or reply.close else "keep-alive"

        self.send_response_only(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for part in reply.parts:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if reply.streamed else part)
        if reply.streamed:
            # In a TLS record of its own, as it often is: the openai SDK hangs up at [DONE] and never reads it.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(b"0\r\n\r\n")
        return headers


def _body(wire: BufferedIOBase, headers: Message) -> Iterator[bytes]:
    """The parts of a request body (RFC 9112, section 6). ValueError: not as the RFC says, or too large."""
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        yield _exactly(wire, int(headers.get("content-length", "0")), _LARGEST_BODY)
        return
    left = _LARGEST_BODY
    while size := int(_line(wire).partition(b";")[0], 16):
        yield _exactly(wire, size, left)
        left -= size
        _line(wire)
    while _line(wire).strip():  # trailers
        pass


def _line(wire: BufferedIOBase) -> bytes:
    line = wire.readline(65_536)
    if not line:
        raise ConnectionResetError("the client left within a chunked body")
    return line


def _exactly(wire: BufferedIOBase, size: int, limit: int) -> bytes:
    if not 0 <= size <= limit:
        raise ValueError(f"a request body of {size} bytes; at most {limit} are taken")
    data = wire.read(size)
    if len(data) < size:
        raise ConnectionResetError(f"the client left after {len(data)} of {size} bytes")
    return data


@dataclass(frozen=True)
class _Reply:
    status: int
    headers: dict[str, str]
    parts: tuple[bytes, ...] = ()
    streamed: bool = False  # each part is sent as a chunk of its own
    close: bool = False


def _error(status: int, kind: str, message: str, *, close: bool = False) -> _Reply:
    body = _json({"type": "error", "error": {"type": kind, "message": message}})
    return _Reply(status, {"content-type": "application/json"}, (body,), close=close)


class _Model:
    """What all connections share: the answers, the numbers and the log."""

    def __init__(self, log: TextIO, command: str, *, close: bool) -> None:
        self.numbers = itertools.count(1)
        self.connections = itertools.count(1)
        self.close = close
        self._command = command
        self._log = log
        self._lock = threading.Lock()

    def reply(self, number: int, method: str, target: str, body: bytes) -> _Reply:
        path = target.partition("?")[0]
        if (method, path) == ("HEAD", "/"):
            return _Reply(200, {})
        if method != "POST" or path not in _DIALECTS:
            return _error(404, "not_found_error", f"{method} {path} is not served here")
        try:
            ask = _read(body, number)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            return _error(400, "invalid_request_error", f"not a request of {path}: {error!r}")
        answer = _answer(ask, self._command)
        whole, events = _DIALECTS[path]
        if ask.stream:
            headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
            return _Reply(200, headers, tuple(events(answer)), streamed=True)
        return _Reply(200, {"content-type": "application/json"}, (_json(whole(answer)),))

    def record(self, exchange: Mapping[str, object]) -> None:
        with self._lock:
            self._log.write(json.dumps(exchange) + "\n")
            self._log.flush()


@dataclass(frozen=True)
class _Ask:
    """What a request asks for, in whichever of the two APIs."""

    number: int
    size: int  # bytes of the request's body
    model: str
    stream: bool
    stream_usage: bool
    prompt: str  # the last text that a user said
    tool: str | None  # the first tool offered
    results: tuple[str, ...]  # what tools have said


def _read(body: bytes, number: int) -> _Ask:
    request: Any = json.loads(body)
    messages: list[Any] = request["messages"]
    tools: list[Any] = request.get("tools") or []
    stream_options: Any = request.get("stream_options") or {}
    said = [_text(message["content"]) for message in messages if message["role"] == "user"]
    return _Ask(
        number=number,
        size=len(body),
        model=str(request["model"]),
        stream=bool(request.get("stream")),
        stream_usage=bool(stream_options.get("include_usage")),
        prompt=next((text for text in reversed(said) if text), ""),
        tool=(tools[0].get("name") or tools[0]["function"]["name"]) if tools else None,
        results=tuple(result for message in messages for result in _results(message)),
    )


def _results(message: Any) -> list[str]:
    content = message.get("content")
    if message["role"] == "tool":
        return [_text(content)]
    if isinstance(content, str):
        return []
    return [_text(block.get("content")) for block in content or () if block.get("type") == "tool_result"]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(block["text"] for block in content or () if block.get("type") == "text")


@dataclass(frozen=True)
class _Answer:
    ask: _Ask
    text: str
    arguments: str  # JSON text of the tool call's input; "" = no call

    @property
    def output_tokens(self) -> int:
        return len(self.text.split()) + len(self.arguments.split())

    @property
    def input_tokens(self) -> int:
        return self.ask.size // 4

    @property
    def cached_tokens(self) -> int:
        return self.ask.size // 32

    @property
    def id(self) -> str:
        return f"{self.ask.number:024d}"


def _answer(ask: _Ask, command: str) -> _Answer:
    if ask.results:
        text, arguments = f"Terminé 🦊 模型: the tool said “{ask.results[-1].strip()[:80]}”.", ""
    elif ask.tool:
        text, arguments = "Voilà, 模型 asks the shell 🐚.", json.dumps({"command": command}, ensure_ascii=False)
    else:
        text, arguments = f"Réponse 模型 🙂: the prompt has {len(ask.prompt)} characters.", ""
    wanted = re.search(r"size=(\d{1,7})\b", ask.prompt)
    return _Answer(ask, _padded(text, int(wanted[1]) if wanted else 0), arguments)


def _padded(text: str, size: int) -> str:
    """`text` and then numbers, so that a part that is lost or doubled shows, to `size` bytes in all."""
    missing = max(0, size - len(text.encode(errors="replace")))
    return text + "".join(f" {number}" for number in range(missing // 2 + 1))[:missing]


def _text_pieces(text: str) -> list[str]:
    return _pieces(text, max(12, len(text) // 500))  # some 500 events are enough for the largest answer


def _argument_pieces(arguments: str) -> list[str]:
    return ["", *_pieces(arguments, max(5, len(arguments) // 20))]  # both APIs begin with an empty piece


def _pieces(text: str, longest: int) -> list[str]:
    return [text[start : start + longest] for start in range(0, len(text), longest)]


def _anthropic_whole(answer: _Answer) -> dict[str, object]:
    content: list[object] = [{"type": "text", "text": answer.text}]
    if answer.arguments:
        content.append(_tool_use(answer) | {"input": json.loads(answer.arguments)})
    return _message(answer, content, _stop_reason(answer), answer.output_tokens)


def _anthropic_events(answer: _Answer) -> Iterator[bytes]:
    yield _event("message_start", message=_message(answer, [], None, 1))
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield _event("ping")
    for piece in _text_pieces(answer.text):
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield _event("content_block_stop", index=0)
    if answer.arguments:
        yield _event("content_block_start", index=1, content_block=_tool_use(answer))
        for piece in _argument_pieces(answer.arguments):
            yield _event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": piece})
        yield _event("content_block_stop", index=1)
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage={"output_tokens": answer.output_tokens})
    yield _event("message_stop")


def _message(answer: _Answer, content: list[object], stop_reason: str | None, output_tokens: int) -> dict[str, object]:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.ask.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.input_tokens,
            "cache_creation_input_tokens": answer.ask.size // 16,
            "cache_read_input_tokens": answer.cached_tokens,
            "output_tokens": output_tokens,
        },
    }


def _tool_use(answer: _Answer) -> dict[str, object]:
    return {"type": "tool_use", "id": f"toolu_{answer.id}", "name": answer.ask.tool, "input": {}}


def _stop_reason(answer: _Answer) -> str:
    return "tool_use" if answer.arguments else "end_turn"


def _event(kind: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _json({"type": kind, **fields}))


def _openai_whole(answer: _Answer) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.arguments:
        message["tool_calls"] = [_function_call(answer, answer.arguments)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(answer)}
    return _completion(answer, "chat.completion", [choice]) | {"usage": _openai_usage(answer)}


def _openai_events(answer: _Answer) -> Iterator[bytes]:
    yield _delta(answer, {"role": "assistant", "content": "", "refusal": None})
    for piece in _text_pieces(answer.text):
        yield _delta(answer, {"content": piece})
    if answer.arguments:
        first, *rest = _argument_pieces(answer.arguments)
        yield _delta(answer, {"tool_calls": [{"index": 0} | _function_call(answer, first)]})
        for piece in rest:
            yield _delta(answer, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield _delta(answer, {}, finish_reason=_finish_reason(answer))
    if answer.ask.stream_usage:
        chunk = _completion(answer, "chat.completion.chunk", []) | {"usage": _openai_usage(answer)}
        yield b"data: %b\n\n" % _json(chunk)
    yield b"data: [DONE]\n\n"


def _delta(answer: _Answer, delta: dict[str, object], *, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = _completion(answer, "chat.completion.chunk", [choice])
    if answer.ask.stream_usage:
        chunk["usage"] = None
    return b"data: %b\n\n" % _json(chunk)


def _completion(answer: _Answer, kind: str, choices: list[object]) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": int(time.time()),
        "model": answer.ask.model,
        "choices": choices,
    }


def _function_call(answer: _Answer, arguments: str) -> dict[str, object]:
    function = {"name": answer.ask.tool, "arguments": arguments}
    return {"id": f"call_{answer.id}", "type": "function", "function": function}


def _finish_reason(answer: _Answer) -> str:
    return "tool_calls" if answer.arguments else "stop"


def _openai_usage(answer: _Answer) -> dict[str, object]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


_DIALECTS: dict[str, tuple[Callable[[_Answer], dict[str, object]], Callable[[_Answer], Iterator[bytes]]]] = {
    "/v1/messages": (_anthropic_whole, _anthropic_events),
    "/v1/chat/completions": (_openai_whole, _openai_events),
}


if __name__ == "__main__":
    raise SystemExit(main())
