"""The programs that ask again are run as printed, and what a real server receives is compared with the recorded request."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.cli.report.resend import print_program
from agentsight_rx.errors import AgentsightError, SinkError, UsageError
from agentsight_rx.events import HttpRequest
from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.calls.programs import Language
from tests.cli.report.asked import KEY, request_to, stored
from tests.live.capture import PATIENCE_S, until
from tests.live.peers import WireExchange, WirePeer, wire_server

LANGUAGES: tuple[Language, ...] = ("curl", "python")
every_language = pytest.mark.parametrize("language", [pytest.param("curl", marks=pytest.mark.needs("curl")), "python"])
# Spaces, an escape and a letter that is not ASCII: none of it may change on the way
BODY = (
    '{"model" : "claude-sonnet-4-5",  "max_tokens":512,"metadata":{"model":"not this one"},\n "messages":[{"role":"user",'
    '"content":"it\'s $HOME and `ls` \\u00e9 é"}]}'
).encode()
FIELDS = (
    ("content-type", "application/json"),
    ("anthropic-version", "2023-06-01"),
    ("user-agent", "claude-cli/2.1.4 (external, cli)"),
    ("x-note", 'it\'s "quoted" $HOME `ls` \\ 100%'),
    ("x-empty", ""),
    ("accept-encoding", "gzip, br"),
    ("connection", "keep-alive"),
)
STREAM = BODY.replace(b'"max_tokens"', b'"stream":true,"max_tokens"')


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, WirePeer]]:
    folder = tmp_path_factory.mktemp("peers")
    with wire_server(folder / "tls") as tls, wire_server(folder / "plain", "--plain") as plain:
        yield {"https": tls, "http": plain}


def printed(store: Path, language: Language, *more: str) -> tuple[str, str]:
    """The program, and what is said beside it."""
    ran = CliRunner().invoke(app, ["report", "call", "1", f"--{language}", "--db", str(store), *more], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.stdout, ran.stderr


def ran(program: str, language: Language, folder: Path, peer: WirePeer, **env: str) -> subprocess.CompletedProcess[bytes]:
    """As a person runs it: printed to a file, started in the folder of the body."""
    command = ["sh", "-s"] if language == "curl" else [sys.executable, "-I", "-"]
    trusted = {"PATH": os.defpath, "CURL_CA_BUNDLE": str(peer.ca_file), "SSL_CERT_FILE": str(peer.ca_file)}
    return subprocess.run(
        command, input=program.encode(), cwd=folder, env=trusted | env, capture_output=True, check=False, timeout=PATIENCE_S
    )


def arrived(peer: WirePeer, before: int) -> WireExchange:
    """The one exchange since then. A line is written behind the answer."""
    until(lambda: len(peer.exchanges()) > before)
    (found,) = peer.exchanges()[before:]
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@every_language
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "streamed"])
def test_the_same_request_arrives(
    folder: Path, peers: dict[str, WirePeer], language: Language, scheme: str, body: bytes
) -> None:
    peer = peers[scheme]
    before = len(peer.exchanges())
    request = request_to(peer.base_url, "/v1/messages?beta=true", body, *FIELDS, ("x-api-key", KEY))
    program, said = printed(stored(folder / "a.lmdb", request), language)
    assert KEY not in program + said
    assert "set ANTHROPIC_API_KEY for it: the recording has no credentials" in said
    assert "is in call-1.json; the program above sends it" in said
    done = ran(program, language, folder, peer, ANTHROPIC_API_KEY=KEY)
    assert 0 == done.returncode, done.stderr
    got = arrived(peer, before)
    assert (got.method, got.path, got.status) == ("POST", "/v1/messages?beta=true", 200)
    assert body == got.request
    assert done.stdout == got.response
    sent = {name: value for name, value in got.request_headers.items() if name not in ("host", "content-length")}
    assert sent == dict(FIELDS[:5]) | {"x-api-key": KEY}


@every_language
def test_without_its_credential_a_program_sends_nothing(folder: Path, peers: dict[str, WirePeer], language: Language) -> None:
    peer = peers["http"]
    before = len(peer.exchanges())
    request = request_to(peer.base_url, "/v1/messages", BODY, ("authorization", f"Bearer {KEY}"))
    program, _ = printed(stored(folder / "a.lmdb", request), language)
    done = ran(program, language, folder, peer)
    assert done.returncode != 0
    assert b"ANTHROPIC_AUTH_TOKEN" in done.stderr
    assert before == len(peer.exchanges())


@every_language
def test_an_error_ends_the_program_with_a_failure_and_prints_what_the_server_says(
    folder: Path, peers: dict[str, WirePeer], language: Language
) -> None:
    request = request_to(peers["http"].base_url, "/v1/messages", b'{"model":"m","messages":[{}]}')
    program, _ = printed(stored(folder / "a.lmdb", request), language)
    done = ran(program, language, folder, peers["http"])
    assert done.returncode == {"curl": 22, "python": 1}[language]
    assert b"invalid_request_error" in done.stdout
    assert b"400" in done.stderr


@every_language
def test_a_key_in_the_address_and_the_model_in_the_path(folder: Path, peers: dict[str, WirePeer], language: Language) -> None:
    peer, key = peers["https"], "AIzaSyA1234567890123456789012345678901"
    before = len(peer.exchanges())
    body = b'{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}'
    target = f"/v1beta/models/gemini-2.5-pro:generateContent?key={key}&alt=json"
    store = stored(folder / "a.lmdb", request_to(peer.base_url, target, body))
    program, said = printed(store, language, "--model", "gemini/2.5 flash", "--to", "again")
    assert key not in program + said
    assert "The model is gemini/2.5 flash instead of gemini-2.5-pro." in program
    assert body == (folder / "again" / "call-1-gemini-2.5-flash.json").read_bytes()
    assert 0 == ran(program, language, folder, peer, GEMINI_API_KEY=key).returncode
    got = arrived(peer, before)
    assert got.path == f"/v1beta/models/gemini%2F2.5%20flash:generateContent?key={key}&alt=json"
    assert body == got.request


@every_language
def test_another_model_changes_nothing_else_of_the_body(folder: Path, peers: dict[str, WirePeer], language: Language) -> None:
    peer = peers["https"]
    before = len(peer.exchanges())
    store = stored(folder / "a.lmdb", request_to(peer.base_url, "/v1/messages", BODY))
    program, _ = printed(store, language, "--model", 'claude-"opus"')
    assert 0 == ran(program, language, folder, peer).returncode
    got = arrived(peer, before)
    assert got.request == BODY.replace(b'"claude-sonnet-4-5"', rb'"claude-\u0022opus\u0022"')
    assert json.loads(got.request)["model"] == 'claude-"opus"'


@pytest.mark.needs("curl")
def test_http_2_is_spoken_where_curl_can_and_python_says_so(folder: Path, peers: dict[str, WirePeer]) -> None:
    for scheme, protocol in (("https", "h2"), ("http", "h2")):
        peer = peers[scheme]
        before = len(peer.exchanges())
        request = request_to(peer.base_url, "/v1/messages", BODY, (":method", "POST"), *FIELDS, version="HTTP/2")
        store = stored(folder / f"{scheme}.lmdb", request)
        program, _ = printed(store, "curl")
        assert 0 == ran(program, "curl", folder, peer).returncode
        got = arrived(peer, before)
        assert (got.protocol, got.request) == (protocol, BODY)
    program, _ = printed(folder / "https.lmdb", "python")
    assert "# It was sent over HTTP/2: this program speaks HTTP/1.1." in program
    assert 0 == ran(program, "python", folder, peers["https"]).returncode
    refused = CliRunner().invoke(app, ["report", "call", "1", "--python", "--db", str(folder / "http.lmdb")])
    assert isinstance(refused.exception, UsageError)
    assert "which Python alone does not speak; use --curl" in str(refused.exception)


@pytest.mark.needs("curl")
def test_a_body_that_was_compressed_is_sent_plain_and_labels_in_it_are_said(folder: Path, peers: dict[str, WirePeer]) -> None:
    peer = peers["http"]
    before = len(peer.exchanges())
    body = BODY.replace(b"it's", KEY.encode())
    request = replace(request_to(peer.base_url, "/v1/messages", body, ("content-encoding", "gzip")), encoding="gzip")
    program, said = printed(stored(folder / "a.lmdb", request), "curl")
    assert "The recorded body was sent as gzip: it is sent without that now." in said
    assert "the recording has labels in place of 1 secret of it, and the model gets these labels ([redacted:anthropic:" in said
    assert 0 == ran(program, "curl", folder, peer).returncode
    got = arrived(peer, before)
    assert "content-encoding" not in got.request_headers
    assert b"[redacted:anthropic:" in got.request
    assert KEY.encode() not in got.request


def test_a_recording_that_was_not_redacted_gives_no_credential_either(folder: Path) -> None:
    fields = (("authorization", "Bearer plain"), ("cookie", f"session={KEY}; theme=dark1"), ("x-trace", KEY))
    request = request_to("https://127.0.0.1:1", "/v1/messages", BODY, *fields)
    for language in LANGUAGES:
        program, said = printed(stored(folder / f"{language}.lmdb", request, redacted=False), language)
        assert "plain" not in program
        assert KEY not in program + said
        assert "set ANTHROPIC_AUTH_TOKEN, COOKIE_SESSION, COOKIE_THEME, X_TRACE for it" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--curl", "--python"), "each print something else"),
        (("--curl", "--request"), "each print something else"),
        (("--python", "--against", "x"), "each print something else"),
        (("--model", "m"), "give them with --curl or --python"),
        (("--to", "m", "--answer"), "give them with --curl or --python"),
        (("--curl", "--json"), "--curl prints a program"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(folder: Path, words: tuple[str, ...], says: str) -> None:
    store = stored(folder / "a.lmdb", request_to("https://127.0.0.1:1", "/v1/messages", BODY))
    refused = CliRunner().invoke(app, ["report", "call", "1", "--db", str(store), *words])
    assert isinstance(refused.exception, UsageError)
    assert says in str(refused.exception)


# -- what it writes ------------------------------------------------------------------------------------------------------

ROW = CallRow("llm-1", 1_764_266_404_000, model="claude", call_kind="anthropic", turn=3)


def lines(
    capsys: pytest.CaptureFixture[str], request: HttpRequest, language: Language = "curl", row: CallRow = ROW
) -> list[str]:
    print_program(row, request, language)
    return capsys.readouterr().out.splitlines()


def test_a_body_file_of_another_content_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = request_to("https://a.test", "/v1/messages", BODY)
    assert lines(capsys, request) == lines(capsys, request)  # the same content may be there
    assert 0o600 == (folder / "call-3.json").stat().st_mode & 0o777
    with pytest.raises(SinkError, match=r"call-3\.json is there already with another content; .* folder by --to"):
        print_program(ROW, replace(request, body=BODY + b" "), "curl")
    (folder / "no").write_text("")
    with pytest.raises(SinkError, match=r"no/call-3.json cannot be written: File exists"):
        print_program(ROW, request, "curl", to=folder / "no")


def test_a_request_without_a_body_and_a_body_that_is_no_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = lines(capsys, replace(request_to("https://a.test", "/v1/messages", b""), method="GET"), "python")
    assert not any("Content-Length" in line for line in said)
    assert not any("--data" in line for line in lines(capsys, request_to("https://a.test", "/v1/messages", b"")))
    assert any("@call-llm-2.body" in line for line in lines(
        capsys, request_to("https://a.test", "/v1/messages", b"\x00"), row=replace(ROW, id="llm-2", turn=0)
    ))  # fmt: skip


def test_nothing_captured_ends_a_comment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = replace(request_to("https://a.test", "/v1/messages", BODY), encoding="gzip\nrm -rf /")
    for language in LANGUAGES:
        said = lines(capsys, request, language, replace(ROW, model="m\nrm -rf /\r"))
        assert not any(line.startswith("rm") for line in said)
        assert any(line.startswith("# Send turn 3 again (m�rm -rf /�, ") for line in said)


@given(value=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip))
def test_any_field_is_one_word_of_the_shell_and_one_string_of_python(value: str) -> None:
    from agentsight_rx.view.queries.calls.programs import program_lines
    from agentsight_rx.view.queries.calls.resend import Resend

    text = (value,) if value else ()
    resend = Resend("POST", "https", "a.test", ("/v1",), (("x-note", text),), b"{}", "HTTP/1.1")
    shell = "\n".join(program_lines(resend, "curl", title="t", body="b"))
    words = shlex.split(shell, comments=True)
    assert (f"x-note: {value}" if value else "x-note;") in words
    compile("\n".join(program_lines(resend, "python", title="t", body="b")), "program", "exec")
    assert f"putheader('x-note', {value!r})" in "\n".join(program_lines(resend, "python", title="t", body="b"))


def test_errors_are_sentences(folder: Path) -> None:
    request = request_to("https://a.test", "/v1/messages", BODY)
    with pytest.raises(AgentsightError, match="is not in the store: only its row is"):
        print_program(ROW, None, "curl")
    with pytest.raises(AgentsightError, match="WebSocket"):
        print_program(ROW, replace(request, version="WebSocket"), "python")
    assert [] == list(folder.iterdir())
