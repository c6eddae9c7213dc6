"""A value that looks random is a secret where its line, its table or its tag says so, and nowhere else."""

from __future__ import annotations

import json

import pytest

from agentsight_rx.policy.redaction.redactor import Redactor

REDACTOR = Redactor(bytes(32))
SECRET = "kB7yRoAmXN4pQz"
LONG = "words of a text that holds nothing " * 90

SAID = (
    'os.environ["DB_PASSWORD"] = "§"', "define('DB_PASSWORD', '§');", '[["x","1"],["api_key","§"]]', "#define API_KEY \"§\"",
    "CREATE USER me IDENTIFIED BY '§'", "create user me with password '§'", "Driver=x;UID=me;PWD=§;", "the password is `§`",
    "| user | password |\n|---|---|\n| bob | § |", "user,password\nbob,§", "user\tpassword\nbob\t§",
    '<input type="password" name="p" value="§">', "<key>password</key>\n<string>§</string>",
    "<password><![CDATA[§]]></password>",
    '{"value":"§","name":"DB_PASSWORD"}', 'variable "db_password" {\n  default = "§"\n}', '{"kty":"oct","k":"§"}',
    ".h.example\tTRUE\t/\tFALSE\t0\tsid\t§", '[{"name":"sid","value":"§","domain":".h.example"}]',
    '"x": {"sensitive": true, "type": "string", "value": "§"}', 'requests.get(u, auth=("me", "§"))', "run me:§@host now",
    'var apiToken string = "§"', "let password = String::from(\"§\");", "Passwort: §", "mot de passe : §", "密码：§",
    "vault login §", "echo '§' | sudo -S id", "nmcli dev wifi connect home password §",
)  # fmt: skip
NOT_SAID = (
    "it is § since monday", "x = \"§\"", "| user | name |\n|---|---|\n| bob | § |", "user,city\nbob,§", "id: §", "run(\"§\")",
    '{"value":"§","name":"city"}', '<input type="text" name="city" value="§">', "echo § | tee file", "token(§)", "sha256:§",
)  # fmt: skip


@pytest.mark.parametrize("text", SAID)
def test_a_value_is_hidden_where_something_says_that_it_is_a_secret(text: str) -> None:
    text = text.replace("§", SECRET)
    assert SECRET not in REDACTOR.text(text)
    assert SECRET not in REDACTOR.text(json.dumps({"content": f"first\n{text}\nlast"}))
    assert SECRET not in REDACTOR.text(json.dumps({"a": json.dumps({"content": f"first\n{text}\nlast"})}))
    made = REDACTOR.text(f"{LONG}\n{text}\n{LONG}")
    assert REDACTOR.text(made) == made


@pytest.mark.parametrize("text", NOT_SAID)
def test_it_stays_where_nothing_says_so(text: str) -> None:
    text = text.replace("§", SECRET)
    assert REDACTOR.text(text) == text
    assert REDACTOR.text(f"{LONG}\n{text}\n{LONG}") == f"{LONG}\n{text}\n{LONG}"


def test_the_private_lines_of_putty_are_hidden_and_the_public_ones_stay() -> None:
    lines = "\n".join("AAAAB3NzaC1yc2EAAAADAQABAAABAQC7VJTUt9Us8cKjMzEfYyjiWA4R4M2bS1GB"[:64] for _ in range(5))
    text = f"PuTTY-User-Key-File-3: ssh-rsa\nPublic-Lines: 5\n{lines}\nPrivate-Lines: 5\n{lines}\nPrivate-MAC: 0a1b\n"
    for whole in (text, json.dumps({"content": text})):
        made = REDACTOR.text(whole)
        assert made.count("AAAAB3NzaC1yc2E") == 5
        assert "[redacted:private-key:" in made


def test_an_open_value_at_the_end_is_hidden_with_what_follows() -> None:
    assert REDACTOR.data(b"IDENTIFIED BY '" + SECRET.encode(), cut=True).startswith(b"IDENTIFIED BY '[redacted:")


def test_long_words_of_any_letters_are_looked_at_in_a_moment() -> None:
    """An expression that tries each way to part such a word would not return."""
    for word in ("a" * 250 + "A", "aB" * 120 + "-", "a_" * 120 + "A", "Aa" * 100 + "9" + "a" * 40 + "A"):
        text = f"password = '{word}' and token: {word} | {word} | user, {word}"
        assert REDACTOR.text(f"{LONG}{text}").startswith(LONG)
        assert REDACTOR.text(text)
