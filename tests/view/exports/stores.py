"""The events of a story -> a store to export, opened to read."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from agentsight_rx.events import Event
from agentsight_rx.store.state import LmdbStore, Store
from tests.cli.report.story import Story, recorded

__all__ = ["opened", "store_of"]


@contextmanager
def opened(path: Path) -> Generator[Store]:
    """A store to read."""
    store = LmdbStore.open(path, readonly=True)
    try:
        yield store
    finally:
        store.close()


def store_of(path: Path, events: Iterable[Event]) -> Path:
    """A store that has these events."""
    story = Story()
    story.events = list(events)
    return recorded(path, story)
