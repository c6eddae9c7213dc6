"""A call as it was sent: heads, times and bodies, what is missing of it, and programs that send it again."""

from __future__ import annotations

from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.calls.lookup import call_row
from agentsight_rx.view.queries.calls.raw import raw_body, raw_call
from tests.view.page.story import Story, stored

FIRST = "llm-12345-2faf080-7f00-1"


def told(*, cut: bool = False, answered: bool = True, prompt: str = "Fix it") -> MemoryStore:
    story = Story()
    story.wait(10)
    story.ask(ms=900, prompt=prompt, says="Done.", cut=cut, answered=answered)
    return stored(story.events)


def row_of(store: MemoryStore) -> CallRow:
    row = call_row(store, FIRST)
    assert row is not None
    return row


def test_heads_times_and_sizes_are_of_the_exchange() -> None:
    store = told()
    found = raw_call(store, row_of(store))
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
    said = raw_call(cut, row_of(cut)).response_cut
    assert said.startswith("The response ends early. ")
    assert said.endswith(" bytes came: bytes inside it were not captured.")
    assert "No response was captured." == raw_call(silent, row_of(silent)).response_cut


def test_a_call_without_its_request_cannot_be_sent_again() -> None:
    found = raw_call(MemoryStore(), CallRow("llm-x", 1, host="a.test", path="/v1"))
    assert ("https://a.test/v1", "The request was not captured.") == (found.url, found.request_cut)
    assert found.refused
    assert not found.curl


def test_a_body_comes_in_parts_pretty_or_as_it_was() -> None:
    store = told(prompt="x" * 70_000)
    first = raw_body(store, FIRST, part="request", form="raw", offset=0)
    rest = raw_body(store, FIRST, part="request", form="raw", offset=len(first.text))
    assert (65_536, first.total) == (len(first.text), len(first.text) + len(rest.text))
    assert raw_body(store, FIRST, part="response", form="pretty", offset=0).text.startswith('{\n  "id": "msg_1"')
