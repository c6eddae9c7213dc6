"""The demo where nothing can be recorded: a recording of it that comes with the program, through the same graph."""

from __future__ import annotations

import time
from importlib.resources import as_file, files
from pathlib import Path

from msgspec.structs import replace

from ..core.messages import program, say
from ..graphs import TraceOptions
from ..graphs import replay as replay_graph
from ..runtime.recording.price_file import load_prices
from ..runtime.run import Run, run_to_end
from ..sources import ReplayOptions
from ..store.state import LmdbStore
from ..view.queries import Selection
from ..view.queries.summary import read_summary
from .destinations import Destinations
from .flags.console import Console
from .flags.page import Page
from .report.plain import write_json
from .report.screen import Screen
from .report.summary import summary_text
from .stores import given_store

__all__ = ["played"]

_QUIET = Destinations(console=Console(quiet=True))


def played(store: Path, page: Page, *, as_json: bool) -> int:
    """Into this store; then the report of it, and where its page is."""
    out = replace(_QUIET, page=replace(page, server=False)).into(store)
    with as_file(files("agentsight_rx.runtime.demo") / "recorded.jsonl") as place:
        options = out.prepared(TraceOptions())
        run_to_end(Run(replay_graph(ReplayOptions((str(place),)), options), out.sinks(options, patient=True)))
    kept = LmdbStore.open(store, readonly=True)
    try:
        if as_json:
            write_json(read_summary(kept, Selection(), load_prices(None)))
            return 0
        screen = Screen(now_ms=time.time_ns() // 1_000_000)
        print("\n".join(summary_text(kept, screen, prices=load_prices(None), given=given_store(store))))
    finally:
        kept.close()
    given = given_store(store)
    say(f"its page: {program()} serve{given and f' {given}'}")
    return 0
