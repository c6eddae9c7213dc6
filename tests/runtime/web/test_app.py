"""Requests -> answers, without a network: who gets what, and that a stream goes on where it ended or says what is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from agentsight_rx.events.loss import Ledger, Meter, Reason
from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.web.api import Api
from agentsight_rx.runtime.web.app import Access, Bundle, application
from agentsight_rx.runtime.web.recordings import LiveRecording
from agentsight_rx.sinks import Lent
from agentsight_rx.sinks.web import Feed
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import AuditRow, CallRow, ProcessRow, ToolRow
from agentsight_rx.view.snapshot.schema import Snapshot

TOKEN = "the-token-of-this-run"
HOST = "http://127.0.0.1:7395"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Served:
    """A feed and a browser that knows the token."""

    def __init__(self, *, most: int = 100, listen: str = "127.0.0.1", feed: Feed | None = None) -> None:
        self.ledger = Ledger()
        self.feed = feed or Feed(self.ledger, most=most)
        self.meter = Meter("web page")
        lent = Lent()
        lent.store = MemoryStore()
        api = Api(LiveRecording(lent, lambda: self.feed.ended), Prices(), feed=self.feed)
        self.http = TestClient(application(api, Access(TOKEN, listen), self.meter), base_url=HOST, headers=BEARER)

    def call(self, number: int) -> None:
        self.feed.write([CallRow(f"llm-{number}", number)])

    def stream(self, after: int | None = None) -> list[tuple[str, str | None, Any]]:
        """All that the stream says until its end, as (event, id, data)."""
        self.feed.close()
        answer = self.http.get("/api/v1/live", headers={} if after is None else {"Last-Event-ID": str(after)})
        assert (200, "text/event-stream; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
        assert "content-encoding" not in answer.headers, "its events are sent at once, and a browser takes gzip"
        return [_message(block) for block in answer.text.split("\n\n") if block.strip()]


def _message(block: str) -> tuple[str, str | None, Any]:
    fields = [line.split(": ", 1) for line in block.splitlines()]
    one = {name: value for name, value in fields if name != "data"}
    return one["event"], one.get("id"), json.loads("\n".join(value for name, value in fields if name == "data"))


@pytest.fixture
def served() -> Served:
    return Served()


# -- who gets in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}", f"Bearer {TOKEN} "])
@pytest.mark.parametrize("path", ["/api/v1/snapshot", "/api/v1/live", "/api/v1/", "/nothing"])
def test_without_the_token_nothing_captured_is_sent(served: Served, path: str, given: str | None) -> None:
    served.call(1)
    del served.http.headers["Authorization"]
    answer = served.http.get(path, headers={} if given is None else {"Authorization": given})
    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    assert ["error"] == list(answer.json())


def test_the_page_and_the_info_need_no_token(served: Served) -> None:
    served.call(1)
    del served.http.headers["Authorization"]
    for path in ("/", "/home", "/alerts", "/s/a/b/alerts"):
        assert "<title>agentsight-rx</title>" in served.http.get(path).text
    assert {"protocol_version": 1, "product": "agentsight-rx", "authorization_required": True, "node": None} == served.http.get(
        "/api/v1/info"
    ).json()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7395", "localhost:1", "LOCALHOST", "[::1]:7395", "127.1.2.3"])
def test_names_of_this_machine_are_answered(served: Served, host: str) -> None:
    assert 200 == served.http.get("/api/v1/info", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7395", "127.0.0.1.evil.example", "10.0.0.1", "localhost@evil", "[::1", "", "a:b", "::1"],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/info", "/api/v1/snapshot"])
def test_a_foreign_host_name_is_refused(served: Served, host: str, path: str) -> None:
    answer = served.http.get(path, headers={"Host": host})
    assert (403, ["error"]) == (answer.status_code, list(answer.json()))


def test_a_server_on_every_address_accepts_any_address_and_no_name() -> None:
    served = Served(listen="0.0.0.0")
    assert 200 == served.http.get("/", headers={"Host": "192.0.2.7:7395"}).status_code
    assert 403 == served.http.get("/", headers={"Host": "box.example:7395"}).status_code


def test_the_address_of_the_server_is_accepted() -> None:
    served = Served(listen="192.0.2.7")
    assert 200 == served.http.get("/", headers={"Host": "192.0.2.7"}).status_code
    assert 403 == served.http.get("/", headers={"Host": "192.0.2.8"}).status_code


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:7395", "http://127.0.0.1:8080", ""])
def test_a_page_of_another_origin_is_refused(served: Served, origin: str) -> None:
    assert 403 == served.http.get("/api/v1/snapshot", headers={"Origin": origin}).status_code


def test_the_page_of_the_same_origin_is_answered(served: Served) -> None:
    assert 200 == served.http.get("/api/v1/snapshot", headers={"Origin": HOST}).status_code


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_get_is_answered(served: Served, method: str) -> None:
    answer = served.http.request(method, "/api/v1/snapshot")
    assert (405, "GET, HEAD") == (answer.status_code, answer.headers["allow"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_only_what_was_seen_is_taken(served: Served, method: str) -> None:
    answer = served.http.request(method, "/api/v1/seen")
    assert (405, "POST") == (answer.status_code, answer.headers["allow"])


@pytest.mark.parametrize(("headers", "status"), [({"Authorization": ""}, 401), ({"Origin": "http://evil.example"}, 403)])
def test_a_foreign_page_marks_nothing(served: Served, headers: dict[str, str], status: int) -> None:
    body = {"recording": "live", "alerts": ["alert-1"]}
    assert status == served.http.post("/api/v1/seen", json=body, headers=headers).status_code


@pytest.mark.parametrize("path", ["/", "/api/v1/info", "/api/v1/snapshot", "/api/v1/live", "/nothing"])
@pytest.mark.parametrize("known", [True, False])
def test_every_answer_has_the_security_headers(served: Served, path: str, known: bool) -> None:
    served.feed.close()
    headers = served.http.get(path, headers={} if known else {"Authorization": ""}).headers
    assert ("no-store", "nosniff", "no-referrer") == (
        headers["cache-control"],
        headers["x-content-type-options"],
        headers["referrer-policy"],
    )
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert not [name for name in headers if name.startswith("access-control-")]


def test_the_policy_of_the_page_allows_its_own_script_alone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    built = Bundle(
        '<script type="module" src="/assets/app.js"></script>', "let a = 1", "a {}", rest="let b = 2", whole="let a = 1, b = 2"
    )
    monkeypatch.setattr("agentsight_rx.runtime.web.app.bundle", lambda: built)
    answer = served.http.get("/s/live/x/health", headers={"Authorization": ""})
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'; style-src 'self'; connect-src 'self'" in policy
    assert ("let a = 1", "text/javascript; charset=utf-8") == (
        (script := served.http.get("/assets/app.js")).text,
        script.headers["content-type"],
    )
    assert ("a {}", 404) == (served.http.get("/assets/app.css").text, served.http.get("/assets/other.js").status_code)


@pytest.mark.parametrize(("accepted", "coding"), [("gzip, deflate, br", "gzip"), ("gzip;q=0", None)])
def test_files_of_the_page_are_compressed_for_those_who_take_it(
    served: Served, monkeypatch: pytest.MonkeyPatch, accepted: str, coding: str | None
) -> None:
    script = "let a = 1;" * 200
    monkeypatch.setattr("agentsight_rx.runtime.web.app.bundle", lambda: Bundle("", script, "", rest="", whole=""))
    answer = served.http.get("/assets/app.js", headers={"Accept-Encoding": accepted})
    assert (script, coding) == (answer.text, answer.headers.get("content-encoding"))
    assert "accept-encoding" == answer.headers["vary"]
    assert (int(answer.headers["content-length"]) < 100) == (coding is not None)


def test_without_a_built_page_it_says_how_to_build_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.runtime.web.app.bundle", lambda: None)
    answer = served.http.get("/")
    assert "scripts/page.sh" in answer.text
    assert "<script" not in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]


# -- what they get -----------------------------------------------------------------------------------------------------


def test_the_snapshot_has_what_was_written_and_says_what_is_missing(served: Served) -> None:
    served.feed.write([CallRow("llm-1", 1), ToolRow("tool-1", 2, "llm-1", "t", "Bash"), ProcessRow("process-1", 7)])
    served.feed.write([AuditRow(f"audit-{number}", number, "llm") for number in range(5)])
    served.ledger.meter("tls").lose(Reason.KERNEL_LOST, 3)
    answer = served.http.get("/api/v1/snapshot?audit_limit=2").json()
    assert set(Snapshot.__struct_fields__) == answer.keys()
    assert (["llm-1"], ["tool-1"], ["process-1"]) == (
        [row["id"] for row in answer["llm_calls"]],
        [row["id"] for row in answer["tool_calls"]],
        [row["id"] for row in answer["process_nodes"]],
    )
    assert (2, 5, 3) == (len(answer["audit_events"]), answer["summary"]["audit_events"], answer["last_event_id"])
    assert ("live_capture", False) == (answer["summary"]["source"], answer["completeness"]["complete"])
    assert [{"stage": "tls", "reason": "kernel_lost", "count": 3, "size": 0, "intended": False}] == answer["completeness"][
        "entries"
    ]


def test_a_cut_call_is_not_complete(served: Served) -> None:
    served.feed.write([CallRow("llm-1", 1, status="partial", reason="gap")])
    assert (False, 1) == (served.feed.completeness().complete, served.feed.completeness().calls_cut)


@pytest.mark.parametrize("limit", ["-1", "many", "", "1.5", "9" * 5000])
def test_an_invalid_limit_is_an_error(served: Served, limit: str) -> None:
    answer = served.http.get(f"/api/v1/snapshot?audit_limit={limit}")
    assert 400 == answer.status_code
    assert "audit_limit" in answer.json()["error"]


def test_an_unknown_path_is_an_error(served: Served) -> None:
    answer = served.http.get("/api/events")
    assert (404, ["error"]) == (answer.status_code, list(answer.json()))


# -- the stream --------------------------------------------------------------------------------------------------------


def test_a_stream_brings_rows_completeness_and_the_end(served: Served) -> None:
    served.feed.write(
        [CallRow("llm-1", 1, prompt="two\nlines"), ToolRow("tool-1", 2, "llm-1", "t", "Bash", input='{\n"a": 1}')]
    )
    (rows, completeness, end) = served.stream()
    assert ("rows", "2") == rows[:2]
    assert [("llm_call", "llm-1"), ("tool_call", "tool-1")] == [(row["type"], row["id"]) for row in rows[2]]
    assert ("two\nlines", {"a": 1}) == (rows[2][0]["prompt"], rows[2][1]["input"])
    assert (
        "completeness",
        None,
        {
            "complete": False,
            "entries": [],
            "cut_off": 0,
            "blind_spots": [],
            "calls_cut": 0,
            "commands_unseen": 0,
            "beginnings": [],
            "calls_unfinished": 1,
        },
    ) == completeness
    assert ("end", None, {}) == end


def test_a_stream_continues_after_the_last_row_that_was_seen(served: Served) -> None:
    for number in range(1, 6):
        served.call(number)
    (rows, *_) = served.stream(after=3)
    assert ("rows", "5", ["llm-4", "llm-5"]) == (rows[0], rows[1], [row["id"] for row in rows[2]])


def test_a_stream_that_has_seen_all_gets_no_rows(served: Served) -> None:
    served.call(1)
    assert ["completeness", "end"] == [name for name, _, _ in served.stream(after=1)]


@pytest.mark.parametrize(("after", "gone"), [(None, 7), (0, 7), (4, 3), (6, 1)])
def test_evicted_rows_are_a_gap_with_their_number(after: int | None, gone: int) -> None:
    served = Served(most=3)
    for number in range(1, 11):
        served.call(number)
    gap, rows, *_ = served.stream(after)
    assert ("gap", "7", {"count": gone}) == gap
    assert ("10", ["llm-8", "llm-9", "llm-10"]) == (rows[1], [row["id"] for row in rows[2]])


def test_without_evicted_rows_there_is_no_gap() -> None:
    served = Served(most=3)
    for number in range(1, 11):
        served.call(number)
    assert ["rows", "completeness", "end"] == [name for name, _, _ in served.stream(after=7)]


def test_many_rows_come_in_several_messages_and_none_twice() -> None:
    served = Served(most=5000)
    served.feed.write([CallRow(f"llm-{number}", number) for number in range(1300)])
    rows = [row for name, _, value in served.stream() if name == "rows" for row in value]
    assert [f"llm-{number}" for number in range(1300)] == [row["id"] for row in rows]


def test_a_message_holds_no_more_than_a_million_characters_or_one_row(served: Served) -> None:
    served.feed.write([CallRow(f"llm-{number}", number, text="x" * 400_000) for number in range(4)])
    served.feed.write([CallRow("llm-4", 4, text="x" * 2_000_000)])
    assert [2, 2, 1] == [len(value) for name, _, value in served.stream() if name == "rows"]


@pytest.mark.parametrize("given", ["2", "-1", "x", "9" * 400])
def test_a_row_that_does_not_exist_is_refused_as_last_event_id(served: Served, given: str) -> None:
    served.call(1)
    answer = served.http.get("/api/v1/live", headers={"Last-Event-ID": given})
    assert 400 == answer.status_code
    assert "Last-Event-ID" in answer.json()["error"]


def test_the_head_of_a_stream_ends(served: Served) -> None:
    assert 200 == served.http.head("/api/v1/live").status_code


# -- when something is wrong -------------------------------------------------------------------------------------------


class _Broken(Feed):
    def snapshot(self, *, audit_limit: int = 0) -> Snapshot:
        raise ZeroDivisionError("no")


def test_a_bug_is_answered_counted_and_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    served = Served(feed=_Broken(Ledger()))
    for _ in range(2):
        answer = served.http.get("/api/v1/snapshot")
        assert (500, ["error"]) == (answer.status_code, list(answer.json()))
    assert 2 == served.meter.lost(Reason.BUG)
    assert 1 == capsys.readouterr().err.count("ZeroDivisionError('no')")
    assert 200 == served.http.get("/").status_code
