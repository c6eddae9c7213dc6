"""agentsight-rx cluster: the spools of many hosts through the same graph on many workers, and their result as one store."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UsageError
from ..core.messages import program, say
from ..runtime.cluster import Progress, load, place_of, plan_of, run_here, run_on_dask, settings_of
from ..sinks import redaction_key
from .flags.filters import Filters
from .flags.group import Only, flattened
from .flags.guard import Guard, given_rules
from .help import Command, Group
from .launch import invoking_user

__all__ = ["cluster", "often"]

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
