"""Commands of programs that take a password behind a short flag -> that password: `mysql -pX`, `redis-cli -a X`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .secret import FLAG_KIND, Secret
from .values import is_value

__all__ = ["flag_of_word", "is_program", "secret_of_program", "secrets_of_programs"]


class _Program(NamedTuple):
    """
    The flags of some programs: `apart` when the password is the next word, `joined` when it is in the same one. `verb`: only
    the command with this word takes one; `docker run -p` is a port.
    """

    names: str
    apart: str = ""
    joined: str = ""
    verb: str = ""


_PROGRAMS = (
    _Program("mysql|mysqldump|mysqladmin|mysqlimport|mysqlsh|mysqlcheck|mariadb|mariadb-dump|mariadb-admin", joined="-p"),
    _Program("redis-cli|valkey-cli|keydb-cli", apart="-a"),
    _Program("sshpass", apart="-p", joined="-p"),
    _Program("docker|podman|nerdctl|helm|oras|crane|skopeo|buildah|az|cf|oc|ibmcloud", apart="-p", verb="login"),
    _Program("mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport|cqlsh|rabbitmqadmin|influx|rdesktop", apart="-p"),
    _Program("sqlcmd|bcp|mosquitto_pub|mosquitto_sub|unzip|zip|zipcloak", apart="-P", joined="-P"),
    _Program("ldapsearch|ldapadd|ldapmodify|ldapdelete|ldapwhoami|ldappasswd", apart="-w"),
    _Program("7z|7za|7zz|7zr|rar|unrar", joined="-p|-hp"),
    _Program("smbclient|rpcclient|smbget", apart="-U"),
    _Program("openssl", apart="-pass|-passin|-passout|-k"),
    _Program("keytool|jarsigner|apksigner", apart="-storepass|-keypass|-srcstorepass|-deststorepass"),
)
_KINDS = {name: program for program in _PROGRAMS for name in program.names.split("|")}
_NAME = re.compile(
    rf"(?<![\w.-])({'|'.join(sorted(map(re.escape, _KINDS), key=len, reverse=True))})(?:\.exe)?(?=[ \t])".encode()
)
_VALUE = r"(\"[^\"\s\\]{1,128}(?=\\*\")|'[^'\s\\]{1,128}(?=\\*')|[^\s\"'\\;|&`()]{1,128})"
_BEFORE_MOST = 300  # bytes between a program and its flag
_ENDS = re.compile(rb"[;|\n]|&&|\\n")
_PART = re.compile(rb"(?:pass:|[^%\s\"']*%)?")  # of the value: before the password, of openssl and of samba
_NO_PASSWORD = (b"env:", b"file:", b"fd:", b"stdin", b"-", b"$", b"prompt")


def _flag(program: _Program) -> re.Pattern[bytes]:
    forms = [
        rf"(?:{program.apart})[ \t=]{{1,8}}(?!-)" if program.apart else "",
        rf"(?:{program.joined})(?=\S)" if program.joined else "",
    ]
    return re.compile(rf"(?:{'|'.join(filter(None, forms))})\\*{_VALUE}".encode())


_FLAGS = {program: _flag(program) for program in _PROGRAMS}


def is_program(name: bytes, words: Sequence[bytes], /) -> bool:
    """Is this the name of a program of this table, and do these words take a password?"""
    program = _KINDS.get(name.decode("latin-1"))
    return program is not None and (not program.verb or program.verb.encode() in words)


def flag_of_word(program: bytes, before: bytes, word: bytes, /) -> int:
    """Where in a word of such a command the password begins; -1: it has none. `before`: the word before it."""
    kind = _KINDS[program.decode("latin-1")]
    if before and before.decode("latin-1") in kind.apart.split("|"):
        return _begin(word, 0, len(word), kind)
    joined = next((flag for flag in kind.joined.split("|") if flag and word.startswith(flag.encode())), "")
    return _begin(word, len(joined), len(word), kind) if joined and len(word) > len(joined) else -1


def secret_of_program(data: bytes, at: int, /) -> Secret | None:
    """The password behind the flag at `at`, where such a program stands before it in the same command."""
    first = max(0, at - _BEFORE_MOST)
    for end in _ENDS.finditer(data, first, at):
        first = end.end()
    names = list(_NAME.finditer(data, first, at))
    return _found(data, at, names[-1]) if names else None


def secrets_of_programs(data: bytes, /) -> Iterator[Secret]:
    """The passwords of such programs in a command line."""
    for name in _NAME.finditer(data):
        stop = _ENDS.search(data, name.end())
        at = data.find(b" -", name.end(), stop.start() if stop else len(data))
        while at >= 0:
            secret = _found(data, at + 1, name)
            if secret is not None:
                yield secret
            at = data.find(b" -", at + 2, stop.start() if stop else len(data))


def _found(data: bytes, at: int, name: re.Match[bytes]) -> Secret | None:
    program = _KINDS[name[1].decode()]
    flag = _FLAGS[program].match(data, at)
    if flag is None or (program.verb and data.find(program.verb.encode(), name.end(), at) < 0):
        return None
    start = _begin(data, flag.start(1) + (data[flag.start(1) : flag.start(1) + 1] in (b'"', b"'")), flag.end(1), program)
    return Secret(start, flag.end(1), FLAG_KIND) if start >= 0 else None


def _begin(data: bytes, start: int, end: int, program: _Program) -> int:
    part = _PART.match(data, start, end)
    if program.apart in ("-U", "-pass|-passin|-passout|-k") and part:
        if program.apart == "-U" and part.end() == start:
            return -1  # a user without a password
        start = part.end()
    value = data[start:end]
    return start if is_value(value) and not value.startswith(_NO_PASSWORD) else -1
