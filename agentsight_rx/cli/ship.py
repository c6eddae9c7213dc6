"""agentsight-rx ship: the closed segments of this host to a shared folder or an object store, each once, as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ..core.messages import say
from ..core.signals import EndRequest, asking_to_end, how_to_end
from ..runtime.cluster import Shipped, Shipper, follow, forget, place_of
from .cluster import often
from .values import seconds_of

__all__ = ["ship"]


def ship(
    spool: Annotated[Path, typer.Option("--spool", help="The folder of --spool of record or trace.", metavar="DIR")],
    to: Annotated[str, typer.Option("--to", help="An existing folder, or a URL of fsspec.", metavar="URL")],
    once: Annotated[bool, typer.Option("--once", help="Ship all closed segments, then end; exit 1 if that fails.")] = False,
    delete_after: Annotated[
        str | None,
        typer.Option("--delete-after", help="Remove shipped segments of this age; 0: at once.", metavar="TIME"),
    ] = None,
    forgotten: Annotated[
        list[str] | None,
        typer.Option("--forget", help="Stop waiting for this place of an earlier --to.", metavar="URL"),
    ] = None,
    unredacted: Annotated[bool, typer.Option("--unredacted", help="Also ship recordings with --disable-auth-removal.")] = False,
) -> None:
    """
    Ship the segments of a spool to a shared folder or an object store, for `cluster run`, until Ctrl-C.

    Each is stored once, in order, read back and compared; run it again after any end, also after weeks.
    """
    keep_s = 0.0 if (delete_after or "").strip() in ("0", "0s") else seconds_of(delete_after, "--delete-after")
    end = EndRequest()
    for url in forgotten or ():
        forget(spool, url)
    report = _reporter(say)
    shipper = Shipper(spool, place_of(to), unredacted=unredacted, keep_s=keep_s, report=report, ended=lambda: bool(end.reason))
    try:
        with asking_to_end(end.ask):
            if once:
                shipper.run()
            else:
                say(f"shipping {spool} to {to}; stop with {how_to_end()}")
                follow(shipper, lambda seconds: bool(end.wait(seconds)))
    finally:
        shipper.close()
        say(_sentence(shipper.done))


def _reporter(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Callable[[Shipped], None]:
    """A line now and then, and one where nothing waits any more."""
    due = often(clock)

    def report(done: Shipped) -> None:
        if done.waiting and due():
            write(f"{_sentence(done)}, {done.waiting:,} to go")

    return report


def _sentence(done: Shipped) -> str:
    others = (
        (done.there, "were there already"),
        (done.again, "sent again"),
        (done.broken, "broken and NOT shipped"),
        (done.removed, "removed here"),
    )
    more = "".join(f", {count:,} {what}" for count, what in others if count)
    return f"{done.sent:,} segments shipped ({done.size / 1e6:.1f} MB){more}"
