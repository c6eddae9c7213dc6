"""Fields of heads, words of commands and command lines -> the same without secrets."""

from __future__ import annotations

from .commands import secrets_of_argv, secrets_of_command
from .fields import secrets_of_field
from .find import find_secrets
from .redactor import Redactor

__all__ = ["mask_command", "mask_field", "mask_words"]


def mask_field(name: str, value: str, redactor: Redactor, /) -> str:
    """The value of a secret field, or of `sec-websocket-protocol`, with labels; the rest of its syntax stays."""
    data = value.encode("utf-8", "surrogatepass")
    keys = find_secrets(data) if name == "sec-websocket-protocol" else ()
    made = redactor.replaced(data, [*secrets_of_field(name, data), *keys])
    return value if made is data else made.decode("utf-8", "surrogatepass")


def mask_words(argv: tuple[str, ...], redactor: Redactor, /, *, cut: bool = False) -> tuple[str, ...]:
    """The words of a command without secrets; `argv` itself if there are none. `cut`: the end of the last one is missing."""
    words = [word.encode("utf-8", "surrogatepass") for word in argv]
    made: list[str] = []
    for index, (word, data, secrets) in enumerate(zip(argv, words, secrets_of_argv(words), strict=True)):
        found = [*secrets, *find_secrets(data, cut=cut and index == len(argv) - 1)]
        masked = redactor.replaced(data, found)
        made.append(word if masked is data else masked.decode("utf-8", "surrogatepass"))
    return argv if all(new is old for new, old in zip(made, argv, strict=True)) else tuple(made)


def mask_command(command: str, redactor: Redactor, /) -> str:
    """A shell command line without secrets; `command` itself if there are none."""
    data = command.encode("utf-8", "surrogatepass")
    made = redactor.replaced(data, [*secrets_of_command(data), *find_secrets(data)])
    return command if made is data else made.decode("utf-8", "surrogatepass")
