"""A call as it was sent: heads, times and bodies, what is missing of it, and programs that send it again."""

from __future__ import annotations

import pytest

from agentsight_rx.events import HttpRequest, HttpResponse
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import HTTP
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.calls.raw import raw_body, raw_call
from agentsight_rx.view.queries.reading import rows_of
from tests.view.page.story import Story, stored

FIRST = "llm-12345-2faf080-7f00-1"


def told(*, cut: bool = False, answered: bool = True, prompt: str = "Fix it") -> MemoryStore:
    story = Story()
    story.wait(10)
    story.ask(ms=900, prompt=prompt, says="Done.", cut=cut, answered=answered)
    return stored(story.events)


def test_heads_times_and_sizes_are_of_the_exchange() -> None:
    store = told()
    found = raw_call(store, FIRST)
    assert ("POST", "https://api.anthropic.com/v1/messages?beta=true", "HTTP/1.1", 200) == (
        found.method, found.url, found.version, found.status,
    )  # fmt: skip
    assert ("host", "api.anthropic.com") == found.request_heads[0]
    assert (("content-type", "application/json"),) == found.response_heads
    assert (None, None, 900) == (found.sent_ms, found.first_ms, found.end_ms)
    assert ("", "", "") == (found.request_cut, found.response_cut, found.refused)
    assert "--data-binary @call-1.json" in found.curl
    assert "Path('call-1.json')" in found.python


def test_what_is_missing_is_said() -> None:
    cut, silent = told(cut=True), told(answered=False)
    said = raw_call(cut, FIRST).response_cut
    assert said.startswith("The response ends early. ")
    assert said.endswith(" bytes came: bytes inside it were not captured.")
    assert "No response was captured." == raw_call(silent, FIRST).response_cut


def test_a_call_without_its_request_cannot_be_sent_again() -> None:
    store = MemoryStore()
    store.commit([put(CallRow("llm-x", 1, host="a.test", path="/v1"))])
    found = raw_call(store, "llm-x")
    assert ("https://a.test/v1", "The request was not captured.") == (found.url, found.request_cut)
    assert found.refused
    assert not found.curl


def test_a_body_comes_in_parts_pretty_or_as_it_was() -> None:
    store = told(prompt="x" * 70_000)
    first = raw_body(store, FIRST, part="request", form="raw", offset=0)
    rest = raw_body(store, FIRST, part="request", form="raw", offset=len(first.text))
    assert (65_536, first.total) == (len(first.text), len(first.text) + len(rest.text))
    assert raw_body(store, FIRST, part="response", form="pretty", offset=0).text.startswith('{\n  "id": "msg_1"')


def test_an_exchange_of_no_model_is_shown_too_by_the_id_of_its_row() -> None:
    story = Story()
    story.ask(ms=900, prompt="Fix it", says="Done.")
    sent = HttpRequest(
        story.origin(http=True),
        2,
        "GET",
        "/simple/",
        "HTTP/1.1",
        headers=(("host", "pypi.org"),),
        end_ns=(story.now + 1) * 1_000_000,
    )
    story.wait(40)
    came = HttpResponse(
        story.origin(http=True), 2, 404, "Not Found", "HTTP/1.1", headers=(("x", "y"),), body=b"none",
        end_ns=story.now * 1_000_000, method="GET", target="/simple/", host="pypi.org",
    )  # fmt: skip
    story.events += [sent, came]
    store = stored(story.events)
    row = next(each for each in rows_of(store, HTTP) if each.host == "pypi.org")
    assert row.call_id is None
    found = raw_call(store, row.id)
    assert ("GET", "https://pypi.org/simple/", 404, 1, 40) == (
        found.method,
        found.url,
        found.status,
        found.sent_ms,
        found.end_ms,
    )
    assert (True, (("x", "y"),), 4) == (found.kept_open, found.response_heads, found.response_bytes)
    assert "none" == raw_body(store, row.id, part="response", form="raw", offset=0).text
    assert "https://pypi.org/simple/" in found.curl


def test_the_first_exchange_of_a_connection_does_not_say_that_it_was_open() -> None:
    assert not raw_call(told(), FIRST).kept_open


def test_an_exchange_that_is_not_there_is_none() -> None:
    with pytest.raises(KeyError):
        raw_call(told(), "http-nowhere-1")
