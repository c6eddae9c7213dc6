"""The flags of the files that a run writes -> their sinks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ...core.sink import Sink
from ...view import Output
from ..launch import invoking_user
from ..values import retention_of
from .group import OUT, Group, flag

if TYPE_CHECKING:
    from ...graphs import TraceOptions
    from ...sinks import Lent
    from ...store.log.retention import Retention

__all__ = ["Store"]


class Store(Group, frozen=True):
    """The files that a run writes, and what of them is removed again."""

    db: Annotated[Path | None, flag(OUT, "--db", "The store (LMDB) to write or read.", "PATH")] = None
    keep: Annotated[str | None, flag(OUT, "--keep", "Remove from the store what is older, such as 14d.", "TIME")] = None
    max_size: Annotated[str | None, flag(OUT, "--max-size", "Remove the oldest where the store is larger: 2GB.", "SIZE")] = None
    jsonl: Annotated[Path | None, flag(OUT, "--jsonl", "Every event into this file.", "PATH")] = None
    log: Annotated[Path | None, flag(OUT, "--log", "Messages into this file at once, not at the end.", "FILE")] = None
    require_store: Annotated[bool, flag(OUT, "--require-store", "Do not start where the store cannot be written.")] = True

    def retention(self, *, stored: bool = True) -> "Retention | None":
        """What stays in the store. Raises UsageError, also where limits are given and nothing is `stored`."""
        return retention_of(self.keep, self.max_size, stored=stored)

    def sinks(self, options: "TraceOptions", lent: "Lent") -> list[Sink[Output]]:
        """The sinks of a graph with these options, which `keyed` returned. `lent` gets the open store."""
        from ... import sinks

        owner = invoking_user()
        chosen: list[Sink[Output]] = []
        if self.db is not None:
            chosen.append(
                sinks.store(
                    self.db,
                    owner=owner,
                    key=options.redaction_key,
                    required=self.require_store,
                    resumed=options.resumed,
                    checkpoints=options.checkpoints,
                    retention=self.retention(),
                    lent=lent,
                    host=options.host,
                )
            )
        if self.jsonl is not None:
            chosen.append(sinks.jsonl(self.jsonl, owner=owner))
        return chosen
