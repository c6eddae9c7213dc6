"""Looks -> a screen that is drawn again with each, without keys: where textual is not installed, or not wanted."""

from __future__ import annotations

import os
import shutil

from rich.console import Console
from rich.live import Live as Drawing
from rich.text import Text

from ..colour import has_colour
from ..report.screen import Prose, Screen, render
from .looks import Look, Looks
from .table import screen_lines

__all__ = ["refreshed"]


def refreshed(looks: Looks, *, hint: str = "") -> None:
    """Until Ctrl-C."""
    console = Console(highlight=False)
    try:
        with Drawing(console=console, auto_refresh=False, screen=True) as drawing:
            for look in looks.each(None):
                drawing.update(_drawn(look, looks, hint), refresh=True)
    except KeyboardInterrupt:
        return


def _drawn(look: Look, looks: Looks, hint: str) -> Text:
    size = shutil.get_terminal_size()
    screen = Screen(width=size.columns, colour=has_colour(os.environ), now_ms=look.now_ms)
    lines = [render(line, screen) for line in screen_lines(look, looks.wanted, screen)]
    last = render(Prose(f"Ctrl-C ends{f'; {hint}' if hint else ''}"), screen).splitlines()
    whole = [each for line in lines for each in line.splitlines() or [""]]
    text = Text.from_ansi("\n".join([*whole[: max(0, size.lines - len(last))], *last]))
    text.no_wrap = True
    return text
