"""The flags of a spool -> its sink."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ...core.errors import UsageError
from ...core.sink import Sink
from ...view import Output
from ..launch import invoking_user
from ..values import bytes_of, seconds_of
from .group import OUT, Group, flag

if TYPE_CHECKING:
    from ...graphs import TraceOptions
    from ...store.spool import SpoolOptions

__all__ = ["Spool"]


class Spool(Group, frozen=True):
    """The segments that a run writes for a cluster."""

    spool: Annotated[Path | None, flag(OUT, "--spool", "Write closed segments below this folder.", "DIR")] = None
    spool_host: Annotated[str | None, flag(OUT, "--spool-host", "The name of this host in it.", "NAME")] = None
    spool_seconds: Annotated[str, flag(OUT, "--spool-seconds", "Close a segment after this time.", "TIME")] = "60s"
    spool_size: Annotated[str, flag(OUT, "--spool-size", "Or at this size before compression.", "SIZE")] = "64MB"
    spool_parts: Annotated[int, flag(OUT, "--spool-parts", "Number of parts, for a busy host.", "N", min=1, max=256)] = 1

    def options(self, options: "TraceOptions") -> "SpoolOptions | None":
        """The options of the sink of a graph with these options; None without --spool. Raises UsageError."""
        if self.spool is None:
            if self.spool_host is not None:
                raise UsageError("--spool-host is the name of this host in a spool: give --spool too")
            return None
        from ...store.spool import SpoolOptions, host_of_machine

        return SpoolOptions(
            str(self.spool),
            self.spool_host or host_of_machine(),
            self.spool_parts,
            seconds=seconds_of(self.spool_seconds, "--spool-seconds") or 60.0,
            size=bytes_of(self.spool_size, "--spool-size") or 64 << 20,
            redacted=options.remove_auth,
        )

    def sinks(self, options: "TraceOptions") -> list[Sink[Output]]:
        """The sink, where it is asked for."""
        chosen = self.options(options)
        if chosen is None:
            return []
        from ... import sinks

        return [sinks.spool(chosen, owner=invoking_user())]
