"""A value that only its name shows to be a secret: in every notation, and not where a program says a name or a type."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from agentsight_rx.policy.redaction.redactor import Redactor, mask_command, mask_words
from agentsight_rx.policy.redaction.resent import SecretStream

REDACTOR = Redactor(bytes(32))
LONG = "words of a text that holds nothing " * 40

# The secret stands between braces
SECRETS = [
    # YAML, INI, TOML, properties, variables
    "password: {hunter2}", "db:\n  password: {hunter2}\n  host: x", "password: {postgres}\nuser: x", "password: {84620}\n",
    "passwd: {p@ss!w0rd}", "password: {hunter2!} # a comment", "password: |\n  {hunter2}\n", 'password: "{hunter2}"',
    "[db]\npassword = {hunter2}\n", "spring.datasource.password={hunter2}", "PASSWORD={hunter2}", "DB_PASSWORD={postgres}\n",
    "export DB_PASSWORD={hunter2}\n", "pwd={hunter2};", "api_key: {hunter2}", "api_key={hunter2}", "API_KEY={hunter2}",
    "token: {hunter2abc}", "TOKEN={hunter2ab}", "auth:\n  token: {hunter2abc}\n", "private_key: {hunter2}",
    "client_secret: {hunter2}", "{password: '{hunter2}', user: 'x'}",
    # programs
    'password = "{hunter2}"', "password: '{hunter2}'", 'secret = "{hunter2}"', "secret_key = '{hunter2}'",
    'password := "{hunter2}"', "const password: string = '{hunter2}';", "password => '{hunter2}'", "'password' => '{hunter2}',",
    "$password = '{hunter2}';", 'String password = "{hunter2}";', 'private_key = b"{hunter2x}"', '{password:"{hunter2}"}',
    # XML, and a name apart from its value
    "<password>{hunter2}</password>", "<secret>{hunter2}</secret>", '<add key="Password" value="{hunter2}"/>',
    "- name: DB_PASSWORD\n  value: {hunter2}", '{"env":[{"name":"DB_PASSWORD","value":"{hunter2}"}]}',
    # files and connections
    "machine h.com login me password {hunter2}", "localhost:5432:db:me:{hunter2}", "*:*:*:me:{hunter2}",
    "Server=h;User Id=sa;Password={hunter2};Database=x", "host=h user=me password={postgres} dbname=x",
    "redis://:{hunter2}@h:6379", 'Authorization: Digest {username="a", realm="r", nonce="n", response="hunter2hunter2"}',
    # commands
    "mysql -u root -p{hunter2} db", "redis-cli -h h -a {hunter2} ping", "sshpass -p {hunter2} ssh h",
    "sshpass -p{hunter2} ssh h",
    "docker login -u me -p {hunter2} reg", "gh --token {hunter2ab} x", "PGPASSWORD={postgres} psql", "--password {hunter2}",
    "--password={hunter2}", "ldapsearch -x -w {hunter2} -D x", "openssl enc -pass pass:{hunter2} -in x",
]  # fmt: skip


def parts(text: str) -> tuple[str, str, str]:
    """What is before the secret, the secret, and what is behind it. A brace that is no mark stays."""
    begin = max(text.rfind("{" + start) for start in ("hunter2", "postgres", "p@ss", "84620", "username"))
    end = text.index("}", begin)
    return text[:begin], text[begin + 1 : end], text[end + 1 :]


@pytest.mark.parametrize("text", SECRETS)
def test_a_value_with_a_name_is_hidden_in_a_text_in_json_and_in_a_command(text: str) -> None:
    before, secret, behind = parts(text)
    plain = before + secret + behind
    for made in (
        REDACTOR.text(plain),
        REDACTOR.text(f"{LONG}\n{plain}\n{LONG}"),
        REDACTOR.text(json.dumps({"content": plain})),
        REDACTOR.text(json.dumps({"command": plain})),
        REDACTOR.text(json.dumps({"arguments": json.dumps({"content": plain})})),
        mask_command(plain, REDACTOR),
    ):
        assert secret not in made
        assert "[redacted:" in made
        assert made == REDACTOR.text(made)
    assert REDACTOR.text(plain).startswith(before)


@pytest.mark.parametrize("text", SECRETS)
def test_a_value_with_a_name_is_hidden_wherever_a_stream_is_cut(text: str) -> None:
    before, secret, behind = parts(text)
    data = (before + secret + behind).encode()
    for cut in range(1, len(data)):
        stream = SecretStream()
        made = stream.feed(data[:cut]) + stream.feed(data[cut:], last=True)
        assert len(made) == len(data)
        assert secret[:8].encode() not in made, (cut, made)
        assert secret[-8:].encode() not in made, (cut, made)


@pytest.mark.parametrize("text", [text for text in SECRETS if len(text) > 24])
def test_it_is_hidden_in_gzip_and_in_base64_once_and_twice(text: str) -> None:
    before, secret, behind = parts(text)
    plain = f"{before}{secret}{behind}\nand more".encode()
    once = base64.b64encode(plain)
    for coded in (once, base64.b64encode(once), base64.b64encode(gzip.compress(plain, mtime=0))):
        assert coded.decode() not in REDACTOR.text(json.dumps({"content": coded.decode()}))


# What a program says for a value, and words about secrets
ORDINARY = [
    "password: string", "password: str = None", "password?: string | null;", "token: Token", "password: SecretStr",
    "password = getpass()", "password = self.password", "password = other", "password=password, token=token)",
    "password = os.environ['X']", "token = next(tokens)", "secret = settings.SECRET_KEY", "this.password = password;",
    "if password == other:", "password: must have 12 characters", "password: required", "Password: ", "password: ''",
    "password: ${{ secrets.X }}", "password: !vault |", "password: *anchor", "password = $1", "password = :password",
    "PASSWORD=$PASSWORD", "PASSWORD=", "password_file: /run/secrets/db", "password=/run/secrets/db", "secret: inherit",
    "secretName: db-credentials", "secret = 'db-credentials'", "password = 'password'", "password = 'Enter your password'",
    "pass = 83, fail = 2", "first_pass: 12345", "max_tokens: 4096", "total_tokens=2598", "token: the", "token = 17",
    "tokens: 123456", "key: ArrowDown", "api_key = config.api_key", "api_key: string", "<password></password>",
    "<label>Password</label>", "<token>", "login with password authentication", "the machine learning password policy",
    "src/a.py:10:4:E501:line too long", "2001:db8:*:*:*:*", "mkdir -p a/b", "docker run -p 8080:80 x", "ls -a b", "cp -p a b",
    "mysql -u root -p db", "git commit -a -m x", "grep -w password x", '{"name":"city","value":"Paris12345"}', "PWD=/root/work",
    "force_password: bool", "auth: httpx2.Auth", "{name: 'PASS', value: 'passed'}",
    '{"token":" 2nd","logprob":-0.1}', '{"type":"object","required":["password"]}', "next_page_token: CAoQAA2f7K1xY9",
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_a_name_a_type_or_a_word_about_secrets_stays(text: str) -> None:
    for whole in (text, f"{text}\n", f"{LONG}\n{text}\n{LONG}", json.dumps({"content": text})):
        assert REDACTOR.text(whole) == whole


@pytest.mark.parametrize("words", [
    ("mysql", "-u", "root", "-phunter2", "db"), ("redis-cli", "-a", "hunter2"),
    ("sudo", "sshpass", "-p", "hunter2", "ssh", "h"),
    ("docker", "login", "-p", "hunter2", "h"), ("openssl", "enc", "-pass", "pass:hunter2"), ("smbclient", "-U", "me%hunter2"),
])  # fmt: skip
def test_a_password_behind_a_short_flag_of_a_command_is_hidden(words: tuple[str, ...]) -> None:
    made = mask_words(words, REDACTOR)
    assert len(made) == len(words)
    assert not any("hunter2" in word for word in made)


def test_the_same_flag_of_another_command_stays() -> None:
    for words in (("mkdir", "-p", "a/b"), ("docker", "run", "-p", "8080:80", "x"), ("ls", "-a", "b"), ("mysql", "-p", "db")):
        assert mask_words(words, REDACTOR) == words


# -- private keys without their first line -------------------------------------------------------------------------------

BODY = "\n".join([
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
    "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu",
])  # fmt: skip
OTHER = "\n".join(["ZVLNwYkXWQKqQ7x5W9v2K4j6ZVLNwYkXWQKqQ7x5W9v2K4j6ZVLNwYkXWQKqQ7x5", "Q7x5W9v2K4j6ZVLNwYkXWQKqQ7x5W9v2"])


@pytest.mark.parametrize("key", [f"{OTHER}\n-----END PRIVATE KEY-----", f"{OTHER}\n-----END RSA PRIVATE KEY-----", BODY])
def test_a_private_key_that_is_cut_is_hidden(key: str) -> None:
    for whole in (f"it is:\n{key}\n and more", json.dumps({"content": f"it is:\n{key}\n and more"}), f"{LONG}\n{key}\n{LONG}"):
        made = REDACTOR.text(whole)
        assert not any(line[:16] in made for line in key.splitlines() if not line.startswith("-"))
        assert "and more" in made or LONG in made
        if whole.startswith("{"):
            assert json.loads(made)["content"].startswith("it is:\n")


def test_the_end_of_a_public_key_or_a_certificate_hides_nothing() -> None:
    for kind in ("PUBLIC KEY", "CERTIFICATE"):
        text = f"{OTHER}\n-----END {kind}-----\n"
        assert REDACTOR.text(text) == text
