"""The page beside a real run: what an agent asks and what its model answers is there while the answer is still being made."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import trustme

from agentsight_rx.events import AnswerProgress
from agentsight_rx.runtime.web.app import bundle
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from tests.browser.browsing import opened, problems
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.reports import read_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.live

SECRET = "sk-ant-api03-Zk3uV9qLr7XwT2mB8nC4dF6gH1jK5pQs"
PROMPT = "How many lines does the list have?"


def event(kind: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))


def says(text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


class Model:
    """Answers each request word by word, and waits before each step until the test lets it go on."""

    def __init__(self, folder: Path) -> None:
        self.steps = [threading.Event() for _ in range(3)]
        self.authority = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.authority))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
        steps = self.steps

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                steps[0].wait(PATIENCE_S)
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                message = {"id": "msg_1", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 9, "output_tokens": 1}}
                self.wfile.write(event("message_start", message=message))
                self.wfile.write(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
                self.wfile.write(says("I look at the list") + says(f". The key is {SECRET[:20]}"))
                steps[1].wait(PATIENCE_S)
                self.wfile.write(says(SECRET[20:]) + says(" and it has seven"))
                steps[2].wait(PATIENCE_S)
                self.wfile.write(says(" lines.") + event("content_block_stop", index=0))
                self.wfile.write(event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 12}))
                self.wfile.write(event("message_stop"))
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        for step in self.steps:
            step.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def model(tmp_path: Path) -> Generator[Model]:
    made = Model(tmp_path)
    yield made
    made.close()


@contextmanager
def recorded(model: Model, store: Path, *words: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A record of the small agent that asks this model, once its page is there; and the address of that."""
    agent = [sys.executable, "-m", "agentsight_rx.runtime.demo.agent", PROMPT]
    env = {
        "ANTHROPIC_BASE_URL": f"https://127.0.0.1:{model.port}",
        "ANTHROPIC_API_KEY": "k",
        "SSL_CERT_FILE": str(model.authority),
    }
    command = [*PROGRAM, "record", "--server", "--server-port", "0", "--db", str(store), *words, "--", "/usr/bin/env"]
    command += [f"{name}={value}" for name, value in env.items()] + agent
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as recorder:
        try:
            assert recorder.stderr is not None
            page = None
            while page is None:
                line = recorder.stderr.readline()
                assert line, f"record ended with {recorder.wait()}"
                page = re.search(r"page (\S+)", line)
            yield recorder, page[1]
        finally:
            recorder.kill()


def test_prompt_and_first_words_are_there_before_the_answer_ends(browser: Browser, model: Model, tmp_path: Path) -> None:
    assert bundle() is not None, "build the page by scripts/page.sh"
    store = tmp_path / "run.lmdb"
    with recorded(model, store) as (recorder, url), opened(browser, url) as page:
        page.see(PROMPT, within=".turn .prompt")
        page.see("answering", within=".turn")
        page.see(re.compile(r"^reading TLS of python\S* \(\d+\): proven$"), within=".reads")
        assert "I look at" not in page.page.content()
        model.steps[0].set()
        page.see("I look at the list. The key is", within="#turn-1")
        model.steps[1].set()
        page.see("and it has seven", within="#turn-1")
        page.see("answering", within="#turn-1")
        shown = page.page.locator("#turn-1").inner_text()
        assert SECRET[20:] not in shown
        assert SECRET[14:20] not in shown
        page.page.screenshot(path=tmp_path / "answering.png")
        page.has("document.querySelector('h1')")  # not while it changes to the session that has a name by now
        assert [] == problems(page.page)
        model.steps[2].set()
        page.see("and it has seven lines.", within="#turn-1 .say")
        page.has("!document.querySelector('.saying')")
        out, _ = recorder.communicate(timeout=PATIENCE_S)
    assert "seven lines." in out
    kept = LmdbStore.open(store, readonly=True)
    try:
        assert not [each for each in read_events(kept) if isinstance(each, AnswerProgress)]
        assert read_report(kept).complete
    finally:
        kept.close()
