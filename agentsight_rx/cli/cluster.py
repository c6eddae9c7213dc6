"""
agentsight-rx cluster and ship: spools of many hosts shipped to a shared place, and through the same graph on many workers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UsageError
from ..core.messages import program, say
from ..core.signals import EndRequest, asking_to_end, how_to_end
from ..runtime.cluster import (
    Progress,
    Shipped,
    Shipper,
    follow,
    forget,
    load,
    place_of,
    plan_of,
    run_here,
    run_on_dask,
    settings_of,
)
from ..sinks import redaction_key
from .capturing.launch import invoking_user
from .flags.filters import Filters
from .flags.group import Only, flattened
from .flags.guard import Guard, given_rules
from .program.help import Command, Group
from .values import seconds_of

_EACH_S = 10.0  # between two lines of progress
_EACH_TERMINAL_S = 1.0
_SKIPPED_MOST = 20  # segments that are named

cluster = typer.Typer(cls=Group, help="Analyse the spools of many hosts, on one machine or on many.", no_args_is_help=True)

SpoolUrl = Annotated[str, typer.Option("--spool", help="Segments: a folder, or a URL of fsspec.", metavar="URL")]
OutUrl = Annotated[str, typer.Option("--out", help="The place of results and states.", metavar="URL")]
Store = Annotated[Path | None, typer.Option("--store", help="Then make one store of all results.", metavar="PATH")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace an existing store.")]


@cluster.command("run", cls=Command)
@flattened
def run(
    *,
    spool: SpoolUrl,
    out: OutUrl,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="A Dask scheduler, as tcp://HOST:8786.", metavar="ADDRESS")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", help="Workers on this machine; 0: this process.", metavar="N", min=0)
    ] = 2,
    key_of: Annotated[
        Path | None, typer.Option("--key-of", help="Labels of secrets as in this store.", metavar="STORE")
    ] = None,
    filters: Annotated[Filters, Only("redaction_key")],
    guard: Guard,
    store: Store = None,
    replace: Replace = False,
) -> None:
    """Analyse new segments. Run it again after any end: it continues after the committed segments."""
    began = time.monotonic()
    spools, results = place_of(spool), place_of(out)
    rules = given_rules(guard.guard_rules) if guard.is_on else None
    settings = settings_of(results, redaction_key=_key(key_of, filters), guard=rules)
    plan = plan_of(spools, results, settings)
    if plan.done:
        say(f"{plan.done:,} segments are analysed already")
    if plan.late:
        say(f"{plan.late:,} segments came after later ones of their host were analysed: they are NOT in the result")
    say(f"{plan.left:,} segments of {len(plan.tasks)} hosts to analyse")
    for key in plan.tasks:
        results.tidy(key)
    report = _reporter(say)
    if plan.left and (workers == 0 and scheduler is None):
        done = run_here(plan, report)
    elif plan.left:
        done = run_on_dask(plan, report, workers=workers, scheduler=scheduler)
    else:
        done = Progress(0)
    took = f"{time.monotonic() - began:.1f} s, {done.seconds:.1f} s of the processors"
    say(f"{done.done:,} segments analysed in {took}")
    for each in done.skipped[:_SKIPPED_MOST]:
        say(f"SKIPPED {each}")
    if len(done.skipped) > _SKIPPED_MOST:
        say(f"and {len(done.skipped) - _SKIPPED_MOST} more; the losses in the report have all of them")
    if store is not None:
        _load(out, store, replace=replace)


@cluster.command("load", cls=Command)
def load_store(
    out: Annotated[str, typer.Option("--from", help="The output of `cluster run`.", metavar="URL")],
    store: Annotated[Path, typer.Option("--store", help="The store to make.", metavar="PATH")],
    replace: Replace = False,
) -> None:
    """Make one store of all results, for report, serve and top."""
    _load(out, store, replace=replace)


def _key(store: Path | None, filters: Filters) -> bytes | None:
    if store is not None and filters.redaction_key is not None:
        raise UsageError("--key-of and --redaction-key do not go together: give one of them")
    return filters.key() if store is None else redaction_key(store)


def _load(out: str, store: Path, *, replace: bool) -> None:
    loaded = load(place_of(out), store, owner=invoking_user(), replace=replace)
    say(f"{loaded.items:,} events and rows of {loaded.segments:,} segments of {loaded.hosts} hosts are in {store}")
    say(f"report: {program()} report --db {store}")


def often(clock: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """Whether it is time for another line of progress."""
    every = _EACH_TERMINAL_S if sys.stderr.isatty() else _EACH_S
    last = clock()

    def due() -> bool:
        nonlocal last
        if clock() - last < every:
            return False
        last = clock()
        return True

    return due


def _reporter(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Callable[[Progress], None]:
    """A line now and then, and one at the end."""
    due = often(clock)

    def report(progress: Progress) -> None:
        if progress.done == progress.total or due():
            write(f"{progress.done:,} of {progress.total:,} segments")

    return report


# -- ship ----------------------------------------------------------------------------------------------------------
# agentsight-rx ship: the closed segments of this host to a shared folder or an object store, each once, as they come.


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
    report = _shipping_reporter(say)
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


def _shipping_reporter(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Callable[[Shipped], None]:
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
