"""The flags of filters and of the removal of secrets -> what a graph drops and replaces."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec.structs import replace

from ...core.errors import UsageError
from ..keys import key_in
from .group import FILTERS, Group, Of, flag

if TYPE_CHECKING:
    from ...core.stream import Operator
    from ...events import Event
    from ...graphs import TraceOptions

__all__ = ["Filters"]

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
