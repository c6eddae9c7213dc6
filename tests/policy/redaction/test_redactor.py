from __future__ import annotations

import json

import pytest

from agentsight_rx.policy.redaction.event_data import mask_events
from agentsight_rx.policy.redaction.fields import find_fields
from agentsight_rx.policy.redaction.find import find_parameters, find_secrets
from agentsight_rx.policy.redaction.names import SECRET_HEADERS, is_secret_header
from agentsight_rx.policy.redaction.redactor import Redactor, mask_command, mask_field, mask_words
from agentsight_rx.policy.redaction.resent import SecretStream

REDACTOR = Redactor(bytes(32))
PEM = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7777\nabcdEFGH1234+/=\n-----END RSA PRIVATE KEY-----"

KEYS = {
    "anthropic": "sk-ant-api03-Ab1Cd2Ef3Gh4Ij5-Kl6_Mn7",
    "openrouter": "sk-or-v1-0123456789abcdef0123456789abcdef",
    "openai": "sk-proj-Ab1Cd2Ef3Gh4Ij5Kl6_Mn7-Op8",
    "google": "AIzaSyAb1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1",
    "github": "ghp_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.Ab1Cd2Ef3-_Gh4",
    "slack": "xoxb-17653672481-19874698323-Ab1Cd2Ef3Gh4",
    "gitlab": "glpat-Ab1Cd2Ef3Gh4Ij5Kl6Mn",
    "huggingface": "hf_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx",
    "npm": "npm_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2",
}
MORE = {
    "openai": "sk-Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1",
    "google": "ya29.a0Ab1Cd2Ef3Gh4Ij5Kl6Mn7-Op8_Qr9",
    "github": "github_pat_11AAAAAAA0Ab1Cd2Ef3Gh4_Ij5Kl6Mn7Op8Qr9St0Uv1Wx2",
    "aws": "ASIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJSU0EtT0FFUCJ9.OKOawDo13gRp2ojaHV7LFpZ.48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3.XFBoMYUZodetZdv",
}
GITHUB = [f"gh{letter}_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2" for letter in "pousr"]

# What may surround a key: in text, in JSON with its escapes, in JSON in JSON, in a terminal with colours
AROUND = [("", ""), ("use ", " now"), ('{"k":"', '"}'), ("a\\n", "\\n"), ("\\u003c", "\\u003e"), ("\x1b[32m", "\x1b[0m"),
          ("=", "&"), ("/", "/"), ("'", "',"), ("%3D", ""), ("(", ")."), ("\\\\n", "\\\\n")]  # fmt: skip
AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
LONG = "lorem ipsum Kilo Zulu BJz9 - _ 'x' " * 900


def label(kind: str, secret: str) -> str:
    return REDACTOR.label(kind, secret.encode()).decode()


@pytest.mark.parametrize(("kind", "key"), [*KEYS.items(), *MORE.items(), *(("github", key) for key in GITHUB)])
def test_a_key_is_found_by_its_shape_anywhere(kind: str, key: str) -> None:
    for before, after in AROUND:
        for more in ("", LONG):
            text = f"{more}{before}{key}{after} {more}"
            assert f"{more}{before}{label(kind, key)}{after} {more}" == REDACTOR.text(text)
            assert REDACTOR.finds(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "task-list", "use sk-learn-contrib-module", "sk-learn-v2-contrib-module", "risk-Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8", "sk-",
        "msk-Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8", "ghp_short", "XAKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLEX", "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0", "Bearer authentication", "a bearer of news",
        "-----BEGIN CERTIFICATE-----\nMIIE", "a -----BEGIN PRIVATE KEY----- line",
        "http://localhost:8080/a", "me@host.example", "/v1?monkey=1&tokens=2&key=",
        "why? a=1",
        "secret_access_key: unknown", "Grüße", "hf_hub_download", "npm_config_registry", "http://[::1]:80/@a",
        "https://example.com/?q=a@b",
    ],
)  # fmt: skip
def test_text_without_secrets_stays(text: str) -> None:
    for whole in (text, f"{LONG}{text} {LONG}"):
        data = whole.encode()
        assert REDACTOR.text(whole) is whole
        assert REDACTOR.data(data) is data
        assert not REDACTOR.finds(whole)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abcd1234", "Authorization: Bearer {authorization:abcd1234}"),
        ("Bearer dXNlcjpw.YXNz~a+/==, b", "Bearer {authorization:dXNlcjpw.YXNz~a+/==}, b"),
        (f'"SecretAccessKey": "{AWS}"', f'"SecretAccessKey": "{{aws-secret:{AWS}}}"'),
        (f"aws_secret_access_key={AWS}\n", f"aws_secret_access_key={{aws-secret:{AWS}}}\n"),
        (f"AWS_SECRET_ACCESS_KEY={AWS}", f"AWS_SECRET_ACCESS_KEY={{aws-secret:{AWS}}}"),
        ("git clone https://me:pa:ss@w@host/x.git", "git clone https://me:{password:pa:ss@w}@host/x.git"),
        ("postgres://u:geheim@db:5432/x and", "postgres://u:{password:geheim}@db:5432/x and"),
        ('"https://h/p?a=b&X-Amz-Signature=geheim"', '"https://h/p?a=b&X-Amz-Signature={parameter:geheim}"'),
        ("GET /v1?key=geheim#f", "GET /v1?key={parameter:geheim}#f"),
        ("https://h/?a=1\\u0026access_token=geheim\\u0026b", "https://h/?a=1\\u0026access_token={parameter:geheim}\\u0026b"),
    ],
)  # fmt: skip
def test_a_value_is_found_by_its_name_or_place(text: str, expected: str) -> None:
    head, _, rest = expected.partition("{")
    named, _, after = rest.partition("}")
    kind, _, secret = named.partition(":")
    for more in ("", "\n" + LONG + "\n"):
        assert more + head + label(kind, secret) + after + more == REDACTOR.text(more + text + more)


def test_a_private_key_is_one_label_however_its_lines_are_broken() -> None:
    expected = label("private-key", PEM.decode())
    assert f"a {expected}\nb" == REDACTOR.text(f"a {PEM.decode()}\nb")
    escaped = PEM.decode().replace("\n", "\\n")
    assert f'{{"k":"{expected}\\n"}}' == REDACTOR.text(f'{{"k":"{escaped}\\n"}}')
    assert label("private-key", PEM.decode()) == label("private-key", escaped)
    assert REDACTOR.text(PEM.decode().partition("-----END")[0]) == expected.replace(expected, REDACTOR.label(
        "private-key", PEM.partition(b"-----END")[0]).decode())  # fmt: skip


def test_a_label_says_which_secret_it_was_and_not_what() -> None:
    other = Redactor(b"1" * 32)
    assert label("openai", "a") == label("openai", "a") != label("openai", "b")
    assert other.label("openai", b"a").decode() != label("openai", "a")
    assert len(label("openai", "a")) == len("[redacted:openai:12345678]")
    assert b"[redacted:xxawsc-metadata:" in REDACTOR.label("x_x9aws2c-metadata", b"a")


def test_what_only_looks_like_a_label_hides_no_key() -> None:
    key = KEYS["openai"]
    assert key not in REDACTOR.text(f"[redacted:{key}:12345678]")
    assert "geheim" not in REDACTOR.text("/?key=[redacted:key:12345678]geheim")


def test_of_two_kinds_for_one_secret_the_special_one_is_used_so_labels_are_equal() -> None:
    key = KEYS["anthropic"]
    texts = [key, f"Bearer {key}", f"/?key={key}", f"https://u:{key}@h"]
    assert all(label("anthropic", key) in REDACTOR.text(text) for text in texts)
    assert mask_field("authorization", f"Bearer {key}", REDACTOR) == f"Bearer {label('anthropic', key)}"
    assert mask_field("x-api-key", key, REDACTOR) == label("anthropic", key)


# -- fields of heads ---------------------------------------------------------------------------------------------------

PROTOCOL = "sec-websocket-protocol"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("authorization", "Basic dTpw", "Basic {authorization:dTpw}"),
        ("authorization", "bearer a b", "bearer {authorization:a b}"),
        ("authorization", "my secret", "{authorization:my secret}"),
        ("proxy-authorization", "Digest username=a", "Digest {proxy-authorization:username=a}"),
        ("x-api-key", " a ", " {x-api-key:a} "),
        ("x-api-key", "Bearer a", "{x-api-key:Bearer a}"),
        ("cookie", "a=b; c=", "a={cookie:b}; c="),
        ("cookie", "only", "{cookie:only}"),
        ("cookie", 'a="b c"', 'a="{cookie:b c}"'),
        ("set-cookie", "s=a=b; Path=/; HttpOnly", "s={cookie:a=b}; Path=/; HttpOnly"),
        ("sec-websocket-protocol", "graphql-ws, realtime", "graphql-ws, realtime"),
        (PROTOCOL, "realtime, openai-insecure-api-key.geheim", f"realtime, openai-insecure-api-key.{{{PROTOCOL}:geheim}}"),
        ("sec-websocket-protocol", f"v1.bearer.{KEYS['github']}", f"v1.bearer.{{github:{KEYS['github']}}}"),
        (PROTOCOL, "base64url.bearer.authorization.k8s.io.abc", f"base64url.bearer.authorization.k8s.io.{{{PROTOCOL}:abc}}"),
        ("sec-websocket-protocol", "a1" * 20, f"{{sec-websocket-protocol:{'a1' * 20}}}"),
    ],
)  # fmt: skip
def test_a_field_keeps_its_syntax_and_loses_its_secrets(name: str, value: str, expected: str) -> None:
    parts = [part.partition("}") for part in expected.split("{")]
    masked = parts[0][0] + "".join(label(*named.split(":", 1)) + after for named, _, after in parts[1:])
    once = mask_field(name, value, REDACTOR)
    assert masked == once
    assert mask_field(name, once, REDACTOR) is once


@pytest.mark.parametrize("name", ["x-vault-token", "x-new-api-key", "x-forwarded-authorization", *sorted(SECRET_HEADERS)])
def test_names_of_secret_fields(name: str) -> None:
    assert is_secret_header(name)
    assert "geheim" not in mask_field(name, "a=geheim", REDACTOR)


@pytest.mark.parametrize(
    "name", ["host", "x-api-keys", "authorization-hint", "anthropic-ratelimit-tokens-limit", "tokens", "key"]
)
def test_names_of_other_fields(name: str) -> None:
    assert not is_secret_header(name)


def test_fields_in_raw_bytes_are_found_at_the_beginning_of_a_line() -> None:
    data = b"\nHost: a\r\nX-Api-Key : b\r\n c\r\nX-A: token: x\r\n> Cookie: d\r\n"
    found = [data[secret.start : secret.end] for secret in find_fields(data)]
    assert [b" b\r\n c\r", b" d\r"] == found


def test_a_form_is_searched_from_its_beginning() -> None:
    body = b"client_secret=a&grant_type=b&refresh_token=c"
    assert [b"a", b"c"] == [body[secret.start : secret.end] for secret in find_parameters(body)]
    assert not find_secrets(body)


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ("x", "--api-key", "GEHEIM"), ("x", "--api-key=GEHEIM"), ("x", "--token=GEHEIM"), ("x", "-token", "GEHEIM"),
        ("x", "--password", "GEHEIM WORT"), ("x", "--password=GEHEIM WORT"), ("env", "PGPASSWORD=GEHEIM", "psql"),
        ("docker", "run", "-e", "OPENAI_API_KEY=GEHEIM"), ("docker", "-e", "STRIPE_KEY=GEHEIM"),
        ("curl", "-H", "Authorization: Basic GEHEIM"), ("curl", "-HX-Api-Key: GEHEIM"), ("curl", "-H", "Cookie: a=GEHEIM"),
        ("curl", "-u", "me:GEHEIM"), ("/usr/bin/curl", "--user", "me:GEHEIM"), ("curl", "-b", "a=GEHEIM"),
        ("curl", "https://h/?access_token=GEHEIM"), ("git", "clone", "https://u:GEHEIM@h/r"),
        ("bash", "-c", "TOKEN=GEHEIM run; run --secret 'GEHEIM'"),
        ("sh", "-lc", 'curl -u "a:GEHEIM" -H "X-Auth-Token: GEHEIM" h'),
        ("bash", "-c", "export A_SECRET=\"GEHEIM\" && curl --user=a:GEHEIM h"),
    ],
)  # fmt: skip
def test_secret_arguments_are_masked(argv: tuple[str, ...]) -> None:
    once = mask_words(argv, REDACTOR)
    assert "GEHEIM" not in repr(once)
    assert len(argv) == len(once)
    assert "[redacted:" in repr(once)
    assert mask_words(once, REDACTOR) is once
    line = " ".join(word if " " not in word else f"'{word}'" for word in argv)
    if argv[0] not in ("bash", "sh") and "-b" not in argv:
        assert "GEHEIM" not in mask_command(line, REDACTOR)


@pytest.mark.parametrize(
    "argv",
    [
        (), ("ls", "-l"), ("x", "--max-tokens", "100"), ("x", "--tokenizer", "bpe"), ("x", "--token", "--verbose"),
        ("docker", "run", "-u", "1000:1000"), ("ssh", "-i", "key"), ("x", "--sort-key=a", "PWD=/x"), ("sort", "-k", "2"),
        ("bash", "-c", "run --token $TOKEN --key ${KEY}"), ("curl", "-H", "Accept: a/b", "http://h:80/"),
        ("bash", "-c", "curl -u 1:2 h"),
    ],
)  # fmt: skip
def test_other_arguments_stay(argv: tuple[str, ...]) -> None:
    assert mask_words(argv, REDACTOR) is argv


def test_a_key_may_begin_at_the_end_of_cut_arguments() -> None:
    assert mask_words(("x", "sk-Ab1"), REDACTOR) == ("x", "sk-Ab1")
    assert "Ab1" not in repr(mask_words(("x", "sk-Ab1"), REDACTOR, cut=True))


# -- streams -----------------------------------------------------------------------------------------------------------

STREAMED = [
    (b"a " + KEYS["anthropic"].encode() + b" b", KEYS["anthropic"], 7),
    (b'{"k":"' + KEYS["aws"].encode() + b'"}', KEYS["aws"], 4),
    (b"t=" + KEYS["jwt"].encode() + b"; ", KEYS["jwt"], 3),
    (b"ya " + MORE["google"].encode() + b"\n", MORE["google"], 5),
    (b"x\nX-Api-Key: QZXW7VYJ\r\n KQZX7\r\nHost: a\r\n", "QZXW7VYJ", 0),
    (b"Authorization: Bearer QZXW7VYJ\r\n\r\nbody", "QZXW7VYJ", 0),
    (b"GET /?a=b&key=QZXW7VYJ HTTP/1.1\r\n", "QZXW7VYJ", 0),
    (b"see https://me:QZXW7VYJ@host/ now", "QZXW7VYJ", 0),
    (b'{"a":"Bearer QZXW7VYJ","b":1}', "QZXW7VYJ", 0),
    (b"key\n" + PEM + b'\n"', "MIIEowIBAAKCAQEA7777", 0),
]


@pytest.mark.parametrize(("data", "secret", "public"), STREAMED, ids=[secret for _, secret, _ in STREAMED])
def test_a_secret_that_is_cut_anywhere_is_overwritten_and_lengths_stay(data: bytes, secret: str, public: int) -> None:
    size = public + 4
    parts = {secret[start : start + size].encode() for start in range(len(secret) - size + 1)}
    cuts = [[data], [data[place : place + 1] for place in range(len(data))]]
    cuts += [[data[:place], data[place:]] for place in range(1, len(data))]
    cuts += [[data[:place], data[place : place + 3], b"", data[place + 3 :]] for place in range(1, len(data))]
    for pieces in cuts:
        stream = SecretStream()
        made = [stream.feed(piece, heads=True) for piece in pieces]
        assert list(map(len, pieces)) == list(map(len, made))
        whole = b"".join(made)
        assert not [part for part in parts if part in whole], pieces
        assert whole[:1] == data[:1] or data.startswith(b"Auth")
        again = SecretStream()
        assert made == [again.feed(piece, heads=True) for piece in made]


def test_after_a_cut_secret_the_text_goes_on() -> None:
    stream = SecretStream()
    pieces = [b"use sk-Ab1Cd2", b"Ef3Gh4Ij5Kl6Mn7 and", b" more sk-learn\n"]
    assert [b"use *********", b"*************** and", b" more sk-learn\n"] == [stream.feed(piece) for piece in pieces]


def test_after_a_gap_an_open_secret_stays_masked_to_its_end() -> None:
    stream = SecretStream()
    assert stream.feed(b"a sk-Ab1") == b"a ******"
    stream.gap()
    assert stream.feed(b"Cd2Ef3 b") == b"****** b"
    stream.gap()
    assert stream.feed(b"Cd2Ef3 b") == b"Cd2Ef3 b"


def test_a_folded_header_goes_on_in_the_next_piece() -> None:
    stream = SecretStream()
    pieces = [b"Cookie: a\r\n", b" b\r\n", b"Host: c\r\n"]
    assert [b"Cookie:**\r\n", b"**\r\n", b"Host: c\r\n"] == [stream.feed(piece, heads=True) for piece in pieces]
    assert SecretStream().feed(b"Cookie: a\r\n") == b"Cookie: a\r\n"


def test_a_header_or_private_key_without_an_end_is_masked_for_64_kib_only() -> None:
    for begin in (b"\nCookie:", b"-----BEGIN PRIVATE KEY-----"):
        stream = SecretStream()
        made = b"".join(stream.feed(piece, heads=True) for piece in [begin, *[b"a" * 5000] * 20])
        assert 60_000 < made.count(b"*") < 70_000
        assert made.endswith(b"a" * 30_000)


def test_labels_replace_secrets_that_are_whole_in_one_piece() -> None:
    key = KEYS["openai"]
    stream = SecretStream()
    assert f"a {label('openai', key)} b ".encode() == stream.feed(f"a {key} b ".encode(), labels=REDACTOR)
    assert b"c " + b"*" * 8 == stream.feed(b"c " + key[:8].encode(), labels=REDACTOR)
    assert b"*" * (len(key) - 8) + b" d" == stream.feed(f"{key[8:]} d".encode(), labels=REDACTOR)


def test_a_snapshot_of_a_stream_contains_no_secret_and_goes_on() -> None:
    stream, other = SecretStream(), SecretStream()
    stream.feed(b"a sk-Ab1Cd2Ef3Gh4")
    state = stream.snapshot()
    assert b"Ab1" not in repr(state).encode()
    other.restore(*state)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert other.feed(b"Ij5 b") == stream.feed(b"Ij5 b") == b"*** b"


# -- events ------------------------------------------------------------------------------------------------------------


def test_a_key_that_is_split_over_deltas_is_removed_from_all_of_them() -> None:
    key = KEYS["anthropic"]
    for place in range(1, len(key)):
        datas = [f'{{"i":{{"text":"{part}"}},"n":1.0}}' for part in ("a ", f"b {key[:place]}", key[place:] + " c", "d")]
        made = mask_events(datas, REDACTOR)
        assert made[0] is datas[0]
        assert made[3] is datas[3]
        assert f'{{"i":{{"text":"b {label("anthropic", key)}"}},"n":1.0}}' == made[1]
        assert '{"i":{"text":" c"},"n":1.0}' == made[2]


def test_texts_of_different_choices_are_not_joined_and_those_of_blocks_are() -> None:
    key = KEYS["openai"]
    one, other = key[:9], key[9:]
    mixed = [f'{{"choices":[{{"index":{index},"d":"{text}"}}]}}' for index, text in ((0, one), (1, "hello "), (0, other))]
    blocks = [f'{{"index":{index},"delta":{{"text":"{text}"}}}}' for index, text in ((0, one), (1, other))]
    for datas in (mixed, blocks):
        made = "".join(mask_events(datas, REDACTOR))
        assert other[:8] not in made
        assert label("openai", key) in made
    assert "hello " in "".join(mask_events(mixed, REDACTOR))


def test_data_that_is_not_json_is_joined_as_it_is() -> None:
    key = KEYS["github"]
    datas = ["[DONE]", key[:12], key[12:], '{"a":', "[" * 100_000]
    made = mask_events(datas, REDACTOR)
    assert ["[DONE]", label("github", key), "", '{"a":', "[" * 100_000] == made


def test_with_cut_a_secret_that_begins_at_the_end_is_masked() -> None:
    datas = ['{"text":"a sk-Ab1"}']
    assert mask_events(datas, REDACTOR) == datas
    assert "Ab1" not in mask_events(datas, REDACTOR, cut=True)[0]


def test_half_a_surrogate_pair_and_big_numbers_survive_a_change() -> None:
    key = KEYS["openai"]
    datas = [f'{{"t":"\\ud83d {key[:9]}","n":123456789012345678901234567890}}', f'{{"t":"{key[9:]}"}}']
    made = mask_events(datas, REDACTOR)
    assert "\\ud83d" in made[0]
    assert "123456789012345678901234567890" in made[0]
    assert key[9:17] not in made[1]


HOSTILE = {
    "one run": b"sk-" * 700, "dotted": b"eyJaaaaaaaaaaaaaaaaaaaaa." * 100,
    "names": b"SECRET_ACCESS_KEY=" * 130,
    "pem": b'-----BEGIN PRIVATE KEY-----"' * 90, "urls": b"://a:b@" * 300, "queries": b"?key=&" * 400,
    "labels": b"[redacted:a:12345678]@" * 90,
}  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_the_work_is_linear_in_the_size_of_the_data(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured as tried runs and found secrets, not in seconds."""
    from agentsight_rx.policy.redaction import shapes

    tries: list[int] = []
    end_of = shapes._end_of  # pyright: ignore[reportPrivateUsage]

    def counted(run: str, data: bytes, start: int) -> int:
        end = end_of(run, data, start)
        tries.append(end - start)
        return end

    monkeypatch.setattr(shapes, "_end_of", counted)
    for cut in (False, True):
        tries.clear()
        found = find_secrets(data * 20, cut=cut)
        assert sum(tries) <= 4 * len(data) * 20
        assert len(found) <= len(data) * 20 // 5


@pytest.mark.parametrize("names", [b"token=" * 500, b"TOKEN=" * 500, b'{"command":"' + b"token=" * 500])
def test_of_many_names_in_one_word_only_the_first_values_are_looked_at(names: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentsight_rx.policy.redaction import names as bare

    looks: list[int] = []

    def counted(value: bytes) -> bool:
        looks.append(len(value))
        return False

    monkeypatch.setattr(bare, "is_random", counted)
    monkeypatch.setattr(bare, "is_very_random", counted)
    find_secrets(names)
    assert len(looks) <= 16


# -- texts that could hide a secret --------------------------------------------------------------------------------------

BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAzK3v9yQ2Xb7LwPq1\n-----END RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET /login?next=/cb?token=Zx81Kd0aQq&x=1", "Zx81Kd0aQq"),
        ("a=1&next=/cb?token=Zx81Kd0aQq", "Zx81Kd0aQq"),
        (f"It begins with -----BEGIN RSA PRIVATE KEY----- as you see:\n{BLOCK}", "MIIEowIBAAKCAQEA"),
        (f"-----BEGIN RSA PRIVATE KEY-----\n{BLOCK}", "MIIEowIBAAKCAQEA"),
        ("AIzaSyA1234567890abcdefghijklmnopqrstu sk-proj-A1b2C3d4E5f6G7h8I9j0 " * 2, "1234567890abcdefghijklmnopqrstu"),
    ],
)
def test_text_before_a_secret_does_not_hide_it(text: str, secret: str) -> None:
    redactor = Redactor(b"k")
    for made in (redactor.text(text), redactor.text(text, cut=True), redactor.text("x " * 3000 + text)):
        assert secret not in made
    stream = SecretStream()
    assert secret.encode() not in stream.feed(text.encode())


@pytest.mark.parametrize(
    ("pieces", "secret"),
    [
        ([b"secret_access_key = sk", b"-ant-api03-A1b2C3d4E5f6G7h8I9j0 and"], b"api03-A1b2C3"),
        ([b"\nAuthorization: Bearer ", b"A1b2C3d4 E5f6G7h8I9j0\r\nHost: a"], b"E5f6G7h8"),
        ([b"-----BEGIN RSA PRIVATE KEY----- ", BLOCK.encode()], b"MIIEowIBAAKCAQEA"),
    ],
)
def test_after_a_cut_the_whole_rest_of_a_secret_is_masked(pieces: list[bytes], secret: bytes) -> None:
    stream = SecretStream()
    made = [stream.feed(piece, heads=True) for piece in pieces]
    assert list(map(len, made)) == list(map(len, pieces))
    assert secret not in b"".join(made)


def test_a_key_without_its_end_in_a_json_text_leaves_the_json_whole() -> None:
    body = json.dumps({"text": 'he said "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAzK3v9yQ2Xb7L" and left'})
    made = Redactor(b"k").text(body)
    assert "MIIEowIB" not in made
    assert json.loads(made)["text"].endswith('" and left')


def test_a_text_without_secrets_is_searched_once_and_one_with_a_secret_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor, searched = Redactor(b"key"), list[str]()
    text = redactor.text

    def counted(each: str) -> str:
        searched.append(each)
        return text(each)

    monkeypatch.setattr(redactor, "text", counted)
    path, secret, long = "/home/me/a file", "https://me:hunter2pass@host/", "a path/" * 50
    first = [redactor.short(each) for each in (path, secret, long)]
    again = [redactor.short(each) for each in (path, secret, long)]
    assert first == again == [path, text(secret), long]
    assert "hunter2pass" not in first[1]
    assert searched == [path, secret, long, secret, long]
