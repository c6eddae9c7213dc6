"""Flags of a spool -> how segments are written; and folders of segments -> the recordings to replay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from ..errors import UsageError
from ..graphs import TraceOptions
from ..spool import Recorded, SpoolOptions, folders, host_of_machine, is_spool, recordings
from .flags import OUT
from .values import bytes_of, seconds_of

__all__ = ["Spool", "SpoolHost", "SpoolParts", "SpoolSeconds", "SpoolSize", "Spooled", "spool_of", "spooled_in", "ticked"]

Spool = Annotated[
    Path | None, typer.Option("--spool", help="Write closed segments below this folder.", metavar="DIR", rich_help_panel=OUT)
]
SpoolHost = Annotated[
    str | None, typer.Option("--spool-host", help="The name of this host in it.", metavar="NAME", rich_help_panel=OUT)
]
SpoolSeconds = Annotated[
    str, typer.Option("--spool-seconds", help="Close a segment after this time.", metavar="TIME", rich_help_panel=OUT)
]
SpoolSize = Annotated[
    str, typer.Option("--spool-size", help="Or at this size before compression.", metavar="SIZE", rich_help_panel=OUT)
]
SpoolParts = Annotated[
    int,
    typer.Option("--spool-parts", help="Number of parts, for a busy host.", metavar="N", min=1, max=256, rich_help_panel=OUT),
]


class Spooled(Struct, frozen=True):
    """One recording to replay; `host` is in the ids of its rows, "" where it is replayed alone."""

    recorded: Recorded
    host: str


def spool_of(
    folder: Path | None, *, host: str | None, seconds: str, size: str, parts: int, redacted: bool
) -> SpoolOptions | None:
    """What the flags say; None without --spool."""
    if folder is None:
        if host is not None:
            raise UsageError("--spool-host is the name of this host in a spool: give --spool too")
        return None
    return SpoolOptions(
        str(folder),
        host or host_of_machine(),
        parts,
        seconds=seconds_of(seconds, "--spool-seconds") or 60.0,
        size=bytes_of(size, "--spool-size") or 64 << 20,
        redacted=redacted,
    )


def ticked(options: TraceOptions, spool: SpoolOptions | None) -> TraceOptions:
    """The options with Ticks where a spool keeps them."""
    return options if spool is None else replace(options, ticks=True)


def spooled_in(paths: Sequence[str]) -> list[Spooled]:
    """The recordings in these folders, in order; none where files are given. Raises UsageError for both together."""
    are_folders = [path != "-" and is_spool(path) for path in paths]
    if not any(are_folders):
        return []
    if not all(are_folders):
        raise UsageError("folders of segments and other recordings do not go together: replay one, then the other")
    found: list[Spooled] = []
    for path in paths:
        for key, folder in folders(path).items():
            host = "" if folder == Path(path) else key
            found += [Spooled(recorded, host) for recorded in recordings(folder, key)]
    return found
