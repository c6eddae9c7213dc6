"""Secrets that programs take: found in the words of a command and in a command line, and nothing else is."""

from __future__ import annotations

import shlex

import pytest

from agentsight_rx.policy.redaction.lines import Word, words_of
from agentsight_rx.policy.redaction.programs import may_be_of_program, secrets_of_words
from agentsight_rx.policy.redaction.values import is_value

COMMANDS = {
    "mysql -u root -pS3cret-9x shop": "S3cret-9x",
    "redis-cli -h db -a 'S3cret-9x' ping": "S3cret-9x",
    "redis-cli -h db AUTH S3cret-9x": "S3cret-9x",
    "sshpass -p S3cret-9x ssh host": "S3cret-9x",
    "docker login -u me -p S3cret-9x registry": "S3cret-9x",
    "smbclient //host/share -U me%S3cret-9x": "S3cret-9x",
    "openssl enc -pass pass:S3cret-9x -in a": "S3cret-9x",
    "cd /tmp && 7z x -pS3cret-9x a.7z": "S3cret-9x",
    "curl -ume:S3cret-9x https://host": "S3cret-9x",
    "vault login S3cret-9x": "S3cret-9x",
    "htpasswd -bc file me S3cret-9x": "S3cret-9x",
    "htpasswd -nb me S3cret-9x": "S3cret-9x",
    "heroku config:set STRIPE=S3cret-9x": "S3cret-9x",
    "npm config set //host/:_authToken S3cret-9x": "S3cret-9x",
    "echo S3cret-9x | sudo -S id": "S3cret-9x",
    "echo me:S3cret-9x | sudo chpasswd": "S3cret-9x",
    "gh auth login --with-token <<< S3cret-9x": "S3cret-9x",
    "sqlplus me/S3cret-9x@base": "S3cret-9x",
    "curl -b 'a=S3cret-9x' https://host": "S3cret-9x",
    "bash -c 'cd /tmp; unzip -P S3cret-9x a.zip'": "S3cret-9x",
    "ssh host \"mysql -p'S3cret-9x' shop\"": "S3cret-9x",
}
WITHOUT = (
    "docker run -p 8080:80 image",
    "mysql -u root -p shop < all.sql",
    "smbclient //host/share -U me",
    "openssl enc -pass env:PASSWORD -in a",
    "mkdir -p S3cret-9x",
    "mysql -u root; grep -pS3cret-9x a",
    "curl -u me https://host",
    "vault login -method=oidc",
    "vault login $TOKEN",
    "echo S3cret-9x | tee file",
    "sudo -u me id <<< S3cret-9x",
    "cargo login",
    "npm config set registry https://host/S3cret-9x",
    "htpasswd -c file me",
    "net use Z: \\\\host\\share",
)


def found(command: str) -> list[bytes]:
    data = command.encode()
    return [data[secret.start : secret.end] for secret in secrets_of_words(words_of(data), is_value)]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_secret_of_a_command_line_is_found(command: str) -> None:
    assert {COMMANDS[command].encode()} == set(found(command))
    assert may_be_of_program(command.encode())


@pytest.mark.parametrize("command", WITHOUT)
def test_other_commands_have_none(command: str) -> None:
    assert [] == found(command)


@pytest.mark.parametrize("command", [command for command in COMMANDS if not {"|", "&&", "<<<"} & set(command.split())])
def test_the_secret_is_found_in_a_list_of_words(command: str) -> None:
    texts = [word.encode() for word in shlex.split(command)]
    words = [Word(text, 1000 * place, b" " in text) for place, text in enumerate(texts)]
    secrets = {texts[one.start // 1000][one.start % 1000 : one.end % 1000] for one in secrets_of_words(words, is_value)}
    assert {COMMANDS[command].encode()} == secrets


def test_other_words_are_of_no_program() -> None:
    assert not may_be_of_program(b"ls -la")
    assert not may_be_of_program(b"git status")
    assert not may_be_of_program(b"")
