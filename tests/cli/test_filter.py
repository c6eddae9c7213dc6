"""agentsight-rx filter: which events of a recording a rule would drop, and why; and the rules of docs/filters.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.cli.capturing.closing import closing_lines
from agentsight_rx.errors import CaptureError, UsageError
from agentsight_rx.events import Connection, Direction, Event, HttpRequest, HttpResponse, Origin, TlsChunk, TlsHandshake
from agentsight_rx.events.envelope import encode_line
from agentsight_rx.events.loss import RuleCounts
from agentsight_rx.graphs import TraceOptions, explain, replay
from agentsight_rx.operators import filter_http, filter_tls
from agentsight_rx.runtime.run import run
from agentsight_rx.sources import ReplayOptions

ROOT = Path(__file__).parents[2]
CONNECTION = Connection(7, 1, "ssl", 1)


def origin(direction: Direction | None = None) -> Origin:
    return Origin(1, 7, 7, 0, "agent", 1, CONNECTION, direction)


def written(path: Path, *events: Event | str) -> str:
    lines = [event if isinstance(event, str) else encode_line(event).decode().strip() for event in events]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def raw(tmp_path: Path) -> str:
    """Two exchanges as TLS records, a handshake, and a line that is no event."""
    return written(
        tmp_path / "raw.jsonl",
        TlsHandshake(origin()),
        TlsChunk(origin("out"), b"GET /health?key=geheim HTTP/1.1\r\n", 0, 0),
        TlsChunk(origin("out"), b"Host: a\r\n\r\n", 33, 1),
        TlsChunk(origin("in"), b"HTTP/1.1 204 None\r\n\r\n", 0, 0),
        "{not json",
        TlsChunk(origin("out"), b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 44, 2),
        TlsChunk(origin("in"), b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 21, 1),
    )


@pytest.fixture
def parsed(tmp_path: Path) -> str:
    request = HttpRequest(origin(), 1, "GET", "/x", "HTTP/1.1", ())
    return written(tmp_path / "parsed.jsonl", request, HttpResponse(origin(), 1, 404, "Not Found", "HTTP/1.1", (), b"no"))


def tried(*words: str) -> list[str]:
    result = CliRunner().invoke(app, ["filter", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_each_event_that_matches_is_printed_with_the_conditions_that_matched(raw: str) -> None:
    assert tried("method=HEAD | path_prefix=/health & (host=b | host=a) | response.status=404", raw) == [
        'drops method = "HEAD"',
        '   or (path_prefix = "/health" & (host = "b" | host = "a"))',
        '   or response.status = "404"',
        '1. agent(7) request 1: GET /health?...  <- path_prefix = "/health" & host = "a"',
        '4. agent(7) response 2: 404 Not Found, 2 bytes  <- response.status = "404"',
        "[HTTPFilter Global Metrics] Total: 4, Filtered: 2, Passed: 2",
        "1 line is not an event and could not be tried",
    ]


def test_what_was_parsed_already_is_tried_too(parsed: str) -> None:
    lines = tried("exchange.path=/x & exchange.status=404", parsed)
    assert lines[1:] == [
        '1. agent(7) request 1: GET /x  <- exchange.path = "/x" & exchange.status = "404"',
        '2. agent(7) response 1: 404 Not Found, 2 bytes  <- exchange.path = "/x" & exchange.status = "404"',
        "[HTTPFilter Global Metrics] Total: 2, Filtered: 2, Passed: 0",
    ]


def test_a_negation_is_printed_as_such(parsed: str) -> None:
    lines = tried("!(method=POST | path=/y) & request.pid=7", parsed)
    assert lines[1] == '1. agent(7) request 1: GET /x  <- !(method = "POST" | path = "/y") & request.pid = "7"'


def test_a_rule_about_records(raw: str) -> None:
    assert tried("--tls", "is_handshake=true | data~ No", raw)[2:] == [
        '1. agent(7) HANDSHAKE  <- is_handshake = "true"',
        '4. agent(7) READ/RECV record 0, 21 bytes  <- data ~ "No"',
        '6. agent(7) READ/RECV record 1, 47 bytes  <- data ~ "No"',
        "[SSLFilter Global Metrics] Total: 6, Filtered: 3, Passed: 3",
        "1 line is not an event and could not be tried",
    ]


def test_the_meaning_of_the_original(raw: str) -> None:
    assert tried("--compat-filters", "response.body=&response.status=404", raw)[:2] == [
        "drops response.body=&response.status=404",
        "4. agent(7) response 2: 404 Not Found, 2 bytes  <- response.body=&response.status=404",
    ]
    assert tried("--compat-filters", "--tls", "bogus=1", raw)[1:2] == [
        "[SSLFilter Global Metrics] Total: 6, Filtered: 0, Passed: 6"
    ]


def test_lines_of_the_original_are_read(tmp_path: Path) -> None:
    line = '{"timestamp_ns":1,"pid":2,"comm":"a","tid":2,"function":"WRITE/SEND","len":3,"data":"abc"}'
    assert (
        tried("--tls", "data=abc", written(tmp_path / "x", line))[1] == '1. a(2) WRITE/SEND record 0, 3 bytes  <- data = "abc"'
    )


def test_what_is_wrong_is_an_error_and_an_exit_status(tmp_path: Path, raw: str) -> None:
    for words in (["(x", raw], ["--tls", "dat=1", raw]):
        with pytest.raises(UsageError, match="filter: "):
            CliRunner().invoke(app, ["filter", *words], catch_exceptions=False)
    for path in (str(tmp_path / "none"), str(tmp_path)):
        with pytest.raises(CaptureError, match="cannot be read"):
            CliRunner().invoke(app, ["filter", "/x", path], catch_exceptions=False)


@pytest.mark.parametrize(("rule", "file", "status"), [("len<", "/no/such/file", 1), ("(len<1", "/no/such/file", 2)])
def test_the_exit_status_depends_on_who_must_act(rule: str, file: str, status: int) -> None:
    program = [sys.executable, "-m", "agentsight_rx", "filter", "--tls", rule, file]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status
    assert done.stderr.startswith("Error: ")


# -- the flag and the summary of a run --------------------------------------------------------------------------------------


def test_a_run_prints_the_counts_of_each_filter(raw: str) -> None:
    options = TraceOptions(tls_filters=("data~Host",), http_filters=("response.status=404",))
    summary = run(replay(ReplayOptions((raw,)), options))
    assert summary.filters == [RuleCounts("SSLFilter", 6, 2), RuleCounts("HTTPFilter", 4, 1)]
    lines = list(closing_lines(summary, None, since_ms=None, verb="replayed", filters=True))
    assert lines[:2] == [
        "[SSLFilter Global Metrics] Total: 6, Filtered: 2, Passed: 4",
        "[HTTPFilter Global Metrics] Total: 4, Filtered: 1, Passed: 3",
    ]
    assert lines[2].startswith("replayed, ")


def test_without_rules_no_filter_counts_are_printed(raw: str) -> None:
    assert run(replay(ReplayOptions((raw,)), TraceOptions())).filters == []


def test_two_runs_do_not_share_their_counts(raw: str) -> None:
    graph = replay(ReplayOptions((raw,)), TraceOptions(http_filters=("response.status=404",)))
    assert [run(graph).filters, run(graph).filters] == [[RuleCounts("HTTPFilter", 4, 1)]] * 2


def test_the_flag_changes_what_a_rule_means(raw: str) -> None:
    for compat, dropped in ((False, 1), (True, 2)):
        options = TraceOptions(http_filters=("response.body=",), compat_filters=compat)
        assert run(replay(ReplayOptions((raw,)), options)).filters == [RuleCounts("HTTPFilter", 4, dropped)]


@pytest.mark.parametrize("command", [["trace", "--ssl"], ["record", "--pid", "1"], ["replay", "x"], ["debug", "ssl"]])
def test_every_command_with_rules_has_the_flag(command: list[str]) -> None:
    words = [*command, "--http-filter", "response.body=(", "--explain"]
    result = CliRunner().invoke(app, [*words, "--compat-filters"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with pytest.raises(UsageError):
        CliRunner().invoke(app, [*command, "--http-filter", "response.bodyx>(", "--explain"], catch_exceptions=False)


def test_the_rules_are_shown_in_the_graph() -> None:
    options = TraceOptions(tls_filters=("len<1",), http_filters=("/x",), compat_filters=True)
    text = explain(replay(ReplayOptions(("x",)), options))
    assert "filter_tls  len<1" in text
    assert "filter_http  /x" in text


# -- docs/filters.md --------------------------------------------------------------------------------------------------------


def examples(kind: str) -> list[str]:
    text = (ROOT / "docs" / "filters.md").read_text()
    blocks: list[str] = re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("rule", examples("filter-tls"))
def test_an_example_about_records_compiles(rule: str) -> None:
    filter_tls(rule)


@pytest.mark.parametrize("rule", examples("filter-http"))
def test_an_example_about_messages_compiles(rule: str) -> None:
    filter_http(rule)


def test_every_field_is_documented() -> None:
    from agentsight_rx.policy.rules.http_fields import HTTP_FIELDS
    from agentsight_rx.policy.rules.tls import TLS_FIELDS

    said = set(re.findall(r"`([\w.-]+)`", (ROOT / "docs" / "filters.md").read_text()))
    names = {re.sub(r"^(exchange\.)?((req|request|resp|response|res|websocket)\.)?", "", name) for name in HTTP_FIELDS}
    assert {name for name in {*names, *TLS_FIELDS} if name not in said} <= {"content-type"}


def test_the_commands_of_the_page_are_understood(raw: str) -> None:
    for rule, *flags in (("exchange.request.path=/health",), ("data~chunked & len<100", "--tls")):
        assert "Filtered: " in tried(*flags, rule, raw)[-2]
