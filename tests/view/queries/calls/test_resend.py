"""What sends a recorded request again: pure values; the programs made of them are run in tests/cli/report/test_again.py."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.errors import StoreError, UsageError
from agentsight_rx.events import PLAIN, Connection, Headers, HttpRequest, Origin
from agentsight_rx.llm import provider_named
from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.calls.resend import Variable, resend_of, with_model

ROW = CallRow("llm-1", 1, model="m", call_kind="anthropic", host="rows.test")
BODY = b'{"model":"m","messages":[]}'
ORIGIN = Origin(1, 2, connection=Connection(2, 1, "libssl.so", 7))
LABEL = "[redacted:anthropic:0123abcd]"
OTHER = "[redacted:openai:4567cdef]"


def asked(*headers: tuple[str, str], host: str | None = "api.anthropic.com", target: str = "/v1/messages") -> HttpRequest:
    head: Headers = ((("host", host),) if host else ()) + headers
    return HttpRequest(ORIGIN, 1, "POST", target, "HTTP/1.1", head, body=BODY)


def test_fields_of_the_connection_are_left_out_and_the_others_kept_in_order() -> None:
    made = resend_of(ROW, asked(("b", "2"), ("content-length", "9"), ("a", "1"), ("b", "3"), ("accept-encoding", "br")))
    assert made.fields == (("b", ("2",)), ("a", ("1",)), ("b", ("3",)))
    assert (made.method, made.scheme, made.host, made.target) == ("POST", "https", "api.anthropic.com", ("/v1/messages",))
    assert (made.body, made.notes, made.variables) == (BODY, (), ())


def test_what_a_program_cannot_write_is_named() -> None:
    made = resend_of(ROW, replace(asked(("a b", "1"), ("c", "é"), ("d", "\x01"), ("e", "1")), headers_complete=False))
    assert made.fields == (("e", ("1",)),)
    assert made.notes == (
        "Not sent, since a program cannot write them as they were: the fields 'a b', c, d.",
        "Some fields of the recorded request are not known, so they are not sent.",
    )


@pytest.mark.parametrize(
    ("host", "kind", "field", "name"),
    [
        ("api.anthropic.com", "anthropic", "x-api-key", "ANTHROPIC_API_KEY"),
        ("api.anthropic.com", "anthropic", "authorization", "ANTHROPIC_AUTH_TOKEN"),
        ("api.openai.com", "openai", "authorization", "OPENAI_API_KEY"),
        ("openrouter.ai", "openai", "authorization", "OPENROUTER_API_KEY"),
        ("api.x.ai", None, "authorization", "XAI_API_KEY"),
        ("generativelanguage.googleapis.com", "gemini", "x-goog-api-key", "GEMINI_API_KEY"),
        ("us-aiplatform.googleapis.com", "gemini", "authorization", "GOOGLE_ACCESS_TOKEN"),
        ("127.0.0.1:8080", None, "authorization", "KEY_127_0_0_1_8080_API_KEY"),
        ("api.anthropic.com", "anthropic", "x-custom-token", "X_CUSTOM_TOKEN"),
    ],
)
def test_a_credential_has_the_name_that_people_give_it(host: str, kind: str | None, field: str, name: str) -> None:
    scheme = ("Bearer ",) if field == "authorization" else ()
    made = resend_of(replace(ROW, call_kind=kind), asked((field, "".join([*scheme, LABEL])), host=host))
    assert made.fields == ((field, (*scheme, Variable(name))),)


def test_equal_secrets_are_one_variable_and_others_another() -> None:
    made = resend_of(ROW, asked(("x-api-key", LABEL), ("x-again", LABEL), ("api-key", OTHER), ("cookie", f"a={OTHER}; b=x")))
    assert made.variables == ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_2", "COOKIE_B")
    assert made.fields[1] == ("x-again", (Variable("ANTHROPIC_API_KEY"),))
    assert made.fields[3] == ("cookie", ("a=", Variable("ANTHROPIC_API_KEY_2"), "; b=", Variable("COOKIE_B")))


def test_the_address_is_that_of_the_connection_or_of_what_a_proxy_was_asked_for() -> None:
    plain = replace(asked(), origin=replace(ORIGIN, connection=Connection(2, 1, PLAIN, 7)))
    assert resend_of(ROW, plain).scheme == "http"
    proxied = resend_of(ROW, replace(plain, target="https://api.test:8443/v1/messages?a=b://c"))
    assert (proxied.scheme, proxied.host, proxied.target) == ("https", "api.test:8443", ("/v1/messages?a=b://c",))
    assert resend_of(ROW, asked(host=None)).host == "rows.test"
    assert resend_of(ROW, asked(target="/v1/messages?q=ä b%20")).target == ("/v1/messages?q=%C3%A4%20b%20",)


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (None, StoreError, "the request of llm-1 is not in the store"),
        (replace(asked(), version="WebSocket"), UsageError, "was made on a WebSocket"),
        (replace(asked(), body_lost=1200, reason="gap"), StoreError, r"not whole \(gap\): 1,200 bytes of its body are missing"),
        (replace(asked(), complete=False), StoreError, r"not whole \(body\): a part of it is missing"),
        (replace(asked(), method="a b"), StoreError, "the method of llm-1 is 'a b'"),
        (asked(host="a/b"), StoreError, "the host of llm-1 is 'a/b', which is no host"),
        (asked(("authorization", f"AWS4-HMAC-SHA256 {LABEL}")), UsageError, "Signature Version 4"),
    ],
)
def test_what_cannot_be_sent_again_is_refused(request_: HttpRequest | None, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        resend_of(ROW, request_)


def test_a_body_that_redaction_or_a_coding_changed_is_said() -> None:
    body = BODY.replace(b"[]", f'["{LABEL}{LABEL}","{OTHER}"]'.encode())
    made = resend_of(ROW, replace(asked(), body=body, encoding="zstd"))
    assert made.body == body
    assert made.notes == (
        "The recorded body was sent as zstd: it is sent without that now.",
        "The body is not what the agent sent: the recording has labels in place of 2 secrets of it, and the model gets these "
        f"labels ({LABEL}, {OTHER}).",
    )
    many = "".join(f"[redacted:openai:{number:08x}]" for number in range(4))
    assert resend_of(ROW, replace(asked(), body=many.encode())).notes[0].endswith("[redacted:openai:00000002], …).")


def test_another_model_is_said() -> None:
    made = resend_of(replace(ROW, model=None), asked(), model="n")
    assert (made.body, made.notes) == (BODY.replace(b'"m"', b'"n"'), ("The model is n instead of an unknown one.",))


# -- the model -----------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6), lambda inner: st.lists(inner, max_size=3), max_leaves=6
)
MEMBERS = st.dictionaries(
    st.text(max_size=6).filter(lambda name: name not in ("model", "model_id", "modelId")), VALUES, max_size=4
)


@given(before=MEMBERS, after=MEMBERS, old=st.text(max_size=8), new=st.text(max_size=8), indent=st.sampled_from([None, 0, 3]))
def test_only_the_model_of_a_body_changes(
    before: dict[str, object], after: dict[str, object], old: str, new: str, indent: int | None
) -> None:
    def text(model: str) -> str:
        return json.dumps(before | {"model": model} | {f"-{name}": value for name, value in after.items()}, indent=indent)

    made = with_model("/x", text(old).encode(), new, None)[1].decode("utf-8", "surrogateescape")
    assert json.loads(made) == json.loads(text(new))
    mark = json.dumps(old)
    assert made.startswith(text(old)[: text(old).index('"model":') + 9])
    assert len(made) - len(text(old)) == len(made[made.index('"model":') + 9 :]) - len(
        text(old)[text(old).index('"model":') + 9 :]
    )
    assert made.endswith(text(old)[text(old).index('"model":') + 9 + len(mark) :])


def test_the_model_of_a_path_is_named_there() -> None:
    gemini = provider_named("gemini")
    assert with_model("/v1beta/models/a:generateContent?x=/models/b", b"{}", "n/1", gemini) == (
        "/v1beta/models/n%2F1:generateContent?x=/models/b",
        b"{}",
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":7}', b'{"a":', b'{"a"', b"\xff", b'{"model"', b"[" * 100_000])
@pytest.mark.parametrize("dialect", ["anthropic", None, "mcp"])
def test_without_a_model_there_is_none_to_change(body: bytes, dialect: str | None) -> None:
    with pytest.raises(UsageError, match="neither the body nor the path of this request names a model"):
        with_model("/v1/messages", body, "n", provider_named(dialect))


def test_bytes_that_are_no_text_stay() -> None:
    assert (
        with_model("/x", b'{"a":"\xff","model_id":"m","b":"\xfe"}', "n", None)[1] == b'{"a":"\xff","model_id":"n","b":"\xfe"}'
    )
