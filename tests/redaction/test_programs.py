"""Passwords behind short flags of programs: found as words of a command and in a command line, and nothing else is."""

from __future__ import annotations

import itertools

import pytest

from agentsight_rx.redaction.programs import flag_of_word, is_program, secret_of_program, secrets_of_programs

COMMANDS = {
    "mysql -u root -pS3cret-9x shop": "S3cret-9x",
    "redis-cli -h db -a 'S3cret-9x' ping": "S3cret-9x",
    "sshpass -p S3cret-9x ssh host": "S3cret-9x",
    "docker login -u me -p S3cret-9x registry": "S3cret-9x",
    "smbclient //host/share -U me%S3cret-9x": "S3cret-9x",
    "openssl enc -pass pass:S3cret-9x -in a": "S3cret-9x",
    "cd /tmp && 7z x -pS3cret-9x a.7z": "S3cret-9x",
}
WITHOUT = (
    "docker run -p 8080:80 image",
    "mysql -u root -p shop < all.sql",
    "smbclient //host/share -U me",
    "openssl enc -pass env:PASSWORD -in a",
    "mkdir -p S3cret-9x",
    "mysql -u root; grep -pS3cret-9x a",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_password_of_a_command_line_is_found(command: str) -> None:
    data, password = command.encode(), COMMANDS[command].encode()
    (secret,) = secrets_of_programs(data)
    assert data[secret.start : secret.end] == password
    flag = next(at for at in range(len(data)) if data[at - 1 : at + 1] == b" -" and secret_of_program(data, at))
    assert secret_of_program(data, flag) == secret


@pytest.mark.parametrize("command", WITHOUT)
def test_other_commands_have_none(command: str) -> None:
    data = command.encode()
    assert [] == list(secrets_of_programs(data))
    assert not any(secret_of_program(data, at) for at in range(len(data)))


@pytest.mark.parametrize("command", [command for command in COMMANDS if "'" not in command and "&" not in command])
def test_the_password_is_found_in_a_list_of_words(command: str) -> None:
    words = command.encode().split()
    assert is_program(words[0], words[1:])
    found = [word[at:] for before, word in itertools.pairwise(words) if (at := flag_of_word(words[0], before, word)) >= 0]
    assert [COMMANDS[command].encode()] == found


def test_a_program_that_takes_one_only_with_a_verb() -> None:
    assert is_program(b"docker", [b"login"])
    assert not is_program(b"docker", [b"run"])
    assert not is_program(b"ls", [])
