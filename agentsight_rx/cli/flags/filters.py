"""The flags of filters and of the removal of secrets -> what a graph drops and replaces."""

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec.structs import replace

from ...core.errors import UsageError
from .group import FILTERS, HOW, OUT, Group, Of, flag

if TYPE_CHECKING:
    from ...core.stream import Operator
    from ...events import Event
    from ...graphs import TraceOptions


# -- explain -------------------------------------------------------------------------------------------------------
# The flag that shows a graph instead of running it.


Explain = Annotated[bool, flag(OUT, "--explain", "Print the graph, and do not run it.")]


# -- keys ----------------------------------------------------------------------------------------------------------
# --redaction-key FILE -> the key under which equal secrets get equal labels, on every host that has the same file.


_BYTES = 32
_MAKE = "make one by: (umask 077; openssl rand -hex 32 > FILE)"
_HEX = re.compile(rb"\s*([0-9A-Fa-f]{64})\s*")
_MOST = 256  # bytes that are read: no form of a key is longer


def key_in(path: Path) -> bytes:
    """The key in a file that no one else may read. Raises UsageError."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"--redaction-key {path} cannot be read: {error.strerror}; {_MAKE}") from error
    try:
        seen = os.fstat(file)
        if not stat.S_ISREG(seen.st_mode):
            raise UsageError(f"--redaction-key {path} is no file; {_MAKE}")
        mode = stat.S_IMODE(seen.st_mode)
        if mode & 0o077:
            raise UsageError(
                f"--redaction-key {path} may be read by others (its mode is {mode:04o}, 0600 is needed): chmod 600 {path}"
            )
        content = os.read(file, _MOST)
    finally:
        os.close(file)
    digits = _HEX.fullmatch(content)
    if digits is not None:
        return bytes.fromhex(digits[1].decode())
    if len(content) != _BYTES:
        size = f"{len(content)}" if len(content) < _MOST else f"{_MOST} or more"
        raise UsageError(f"--redaction-key {path} has {size} bytes; 32 bytes or 64 hex digits are expected; {_MAKE}")
    return content


# ------------------------------------------------------------------------------------------------------------------------


_NONE = Of()  # a command of one source has no flag for it
_CONTENT = Of("ssl", "plain_http", "process", "stdio")


class Filters(Group, frozen=True):
    """Rules that drop events, and the removal of secrets."""

    concerned: ClassVar[tuple[str, ...] | None] = ("ssl", "plain_http")

    ssl_filter: Annotated[
        list[str] | None, flag(FILTERS, "--ssl-filter", "Drop TLS records that match; repeatable.", "RULE")
    ] = None
    http_filter: Annotated[
        list[str] | None, flag(FILTERS, "--http-filter", "Drop HTTP messages that match; repeatable.", "RULE")
    ] = None
    compat_filters: Annotated[bool, flag(FILTERS, "--compat-filters", "Rules mean exactly what they mean to the original.")] = (
        False
    )
    pipe: Annotated[
        list[str] | None,
        flag(FILTERS, "--pipe", "Operator of another package; repeatable.", "NAME[=TEXT]"),
        _NONE,
    ] = None
    default_filters: Annotated[
        bool, flag(FILTERS, "--default-filters/--no-default-filters", "Drop telemetry, status 202 and HEAD.")
    ] = False
    disable_auth_removal: Annotated[
        bool, flag(FILTERS, "--disable-auth-removal", "Keep credentials and keys, in every sink."), _CONTENT
    ] = False
    redaction_key: Annotated[
        Path | None, flag(FILTERS, "--redaction-key", "Make the same labels as all hosts with this key.", "FILE")
    ] = None

    def over(self, options: "TraceOptions") -> "TraceOptions":
        """The options of a graph, with these filters. Raises UsageError."""
        if self.redaction_key is not None and self.disable_auth_removal:
            raise UsageError(
                "--redaction-key and --disable-auth-removal do not go together: without removal there are no labels"
            )
        from ...graphs import RECORD_HTTP_FILTERS

        return replace(
            options,
            tls_filters=tuple(self.ssl_filter or ()),
            http_filters=(*(RECORD_HTTP_FILTERS if self.default_filters else ()), *(self.http_filter or ())),
            compat_filters=self.compat_filters,
            remove_auth=not self.disable_auth_removal,
            redaction_key=self.key(),
            pipes=tuple(map(_plugin_operator, self.pipe or ())),
        )

    def key(self) -> bytes | None:
        """The key of the labels of secrets, where one is given. Raises UsageError."""
        return None if self.redaction_key is None else key_in(self.redaction_key)

    @property
    def given(self) -> bool:
        """The user gave rules."""
        return bool(self.ssl_filter or self.http_filter)


def _plugin_operator(text: str) -> "Operator[Event, Event]":
    from ...runtime import plugins

    return plugins.operator(text)


# -- form ----------------------------------------------------------------------------------------------------------
# --json and --text -> which of both a command writes to standard output.


TEXT = "Text, also where there is no terminal."


class Form(Group, frozen=True):
    """Of a command that writes text unless JSON is asked for."""

    json_lines: Annotated[bool, flag(HOW, "--json", "JSON, a value a line.")] = False
    text: Annotated[bool, flag(HOW, "--text", "Text, as without --json.")] = False

    @property
    def as_json(self) -> bool:
        return asks_for_json(json_lines=self.json_lines, text=self.text, otherwise=False)


def asks_for_json(*, json_lines: bool, text: bool, otherwise: bool) -> bool:
    """`otherwise`: what holds where neither is given."""
    if json_lines and text:
        raise UsageError("--json and --text do not go together; give one of them")
    return json_lines or (otherwise and not text)
