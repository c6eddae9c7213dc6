"""agentsight-rx top: what agents do now; from a recording, or from /proc and the agents' own session files."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
import typer

from ...core.errors import UsageError
from ...runtime.recording.price_file import load_prices
from ...view.queries.top.top import SORTS, VIEWS
from ..flags.filters import Form
from ..flags.group import HOW, WHICH, flag
from ..program.errors import has_colour
from ..report.shown.screen import Screen, render
from ..values import one_of
from .looks import Live, Look, Looks, Saved, Wanted
from .table import screen_lines

__all__ = ["top"]

_WIDTH = 200  # cells, where there is no terminal
_ROWS_MOST = 100
_INTERVAL_LEAST = 0.2
_FORM = Form()


def top(
    db: Annotated[Path | None, flag(WHICH, "--db", "A recording, also an unfinished one.", "PATH")] = None,
    pid: Annotated[int | None, flag(WHICH, "-p --pid", "Only this process.", "PID", min=1)] = None,
    comm: Annotated[str | None, flag(WHICH, "-c --comm", "Only this agent, such as claude.", "NAME")] = None,
    sort: Annotated[str, flag(HOW, "--sort", f"{', '.join(SORTS)}.", "WHAT")] = "cpu",
    view: Annotated[str, flag(HOW, "--view", f"Which activity: {', '.join(VIEWS)}.", "WHAT")] = "all",
    rows: Annotated[int, flag(HOW, "--rows", "Sessions at most.", "N", min=1, max=_ROWS_MOST)] = 10,
    interval: Annotated[float, flag(HOW, "-i --interval", "Seconds between two looks.", "S")] = 2.0,
    once: Annotated[bool, flag(HOW, "--once", "One look, as text or JSON.")] = False,
    batch: Annotated[bool, flag(HOW, "--batch", "Look after look, as text or JSON, until Ctrl-C or -n.")] = False,
    count: Annotated[int | None, flag(HOW, "-n --count", "Number of looks with --batch or --json.", "N", min=1)] = None,
    form: Form = _FORM,
    plain: Annotated[bool, flag(HOW, "--plain", "A table without keys on a terminal.")] = False,
    prices: Annotated[Path | None, flag(HOW, "--prices", "Prices of models, before the published ones.", "FILE")] = None,
) -> None:
    """
    Show what each agent does now: processor, memory, tokens, cost, tools, failures.

    With --db it is what a recording says, else what /proc and the agents' own session files do: only processes of known agents
    are looked into, nothing is traced, and no rights are needed. Without a terminal it is one look as text.
    """
    wanted = Wanted(pid=pid, name=comm, sort=one_of("--sort", sort, SORTS), view=one_of("--view", view, VIEWS), rows=rows)
    if interval < _INTERVAL_LEAST:
        raise UsageError(f"-i {interval}: expected at least {_INTERVAL_LEAST} seconds")
    if count is not None and (once or not (batch or form.as_json)):
        raise UsageError("-n counts the looks of --batch or --json; give one of them, or --rows for the number of sessions")
    if once + batch + plain > 1 or (plain and (form.as_json or form.text)):
        raise UsageError("--once, --batch and --plain do not go together, nor --json or --text with --plain; give one of them")
    costs = load_prices(prices)
    source: Live | Saved = Live(costs) if db is None else Saved(db, costs)
    with Looks(source, wanted, interval_s=interval) as looks:
        if form.as_json:
            _printed(looks, count if batch else count or 1, _json)
        elif batch:
            _printed(looks, count, _text)
        elif once or form.text or not sys.stdout.isatty():
            _printed(looks, 1, _text)
        else:
            _interactive(looks, plain=plain)


_Printer: TypeAlias = Callable[[Look, Wanted, int], list[str]]  # the lines of a look, and its number


def _printed(looks: Looks, count: int | None, lines: _Printer) -> None:
    """Look after look; a reader that goes away, such as `head`, or Ctrl-C, ends it in order."""
    try:
        for number, look in enumerate(looks.each(count)):
            for line in lines(look, looks.wanted, number):
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        raise typer.Exit from None


def _json(look: Look, wanted: Wanted, _: int) -> list[str]:
    return [msgspec.json.encode(row).decode() for row in wanted.rows_of(look.rows)]


def _text(look: Look, wanted: Wanted, number: int) -> list[str]:
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _WIDTH
    screen = Screen(width=width, colour=terminal and has_colour(os.environ), now_ms=look.now_ms)
    return [*([""] if number else []), *(render(line, screen) for line in screen_lines(look, wanted, screen))]


def _interactive(looks: Looks, *, plain: bool) -> None:
    """The screen with keys where textual is installed, else one that is drawn again and again."""
    from importlib.util import find_spec

    if plain or find_spec("textual") is None:
        from .table import refreshed

        refreshed(looks, hint="" if plain else f"for keys: {shlex.quote(sys.executable)} -m pip install textual")
        return
    from .tui import TopApp

    TopApp(looks).run()
