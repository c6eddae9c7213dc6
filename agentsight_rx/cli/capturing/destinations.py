"""The flags that say where events go -> the sinks of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ...core.sink import Sink
from ...events import AnswerProgress
from ...view import AlertRow, Output
from ..flags.destinations import Console, Otel, Page, PluginSinks, Spool, Store
from ..flags.group import Group

if TYPE_CHECKING:
    from ...graphs import TraceOptions


def with_previews(options: TraceOptions, chosen: Iterable[Sink[Output]], /) -> TraceOptions:
    """The options of a graph for these sinks: what answers say before their end is read only where one of them shows it."""
    return replace(options, progress=any(AnswerProgress in sink.wants for sink in chosen))


class Destinations(Group, frozen=True):
    """Where events and rows go."""

    console: Console = Console()
    store: Store = Store()
    spool: Spool = Spool()
    otel: Otel = Otel()
    page: Page = Page()
    plugin: PluginSinks = PluginSinks()

    def into(self, store: Path | None) -> Destinations:
        """The same with this store, or with none."""
        return replace(self, store=replace(self.store, db=store))

    def check(self, options: TraceOptions, *, stored: bool) -> None:
        """Raises UsageError where these flags are wrong for a graph with these options. `stored`: it has a store."""
        _ = self.console.as_json
        self.store.retention(stored=stored)
        self.spool.options(options)
        self.page.sinks()  # reports a wrong address

    def prepared(self, options: TraceOptions) -> TraceOptions:
        """The options with what a run goes on with in the store, as `keyed`, and with Ticks where a spool keeps them."""
        from .continuing import keyed

        return replace(keyed(options, self.store.db), ticks=self.spool.spool is not None)

    def sinks(
        self, options: TraceOptions, *, patient: bool = False, stopped: Callable[[AlertRow], None] | None = None
    ) -> list[Sink[Output]]:
        """
        The sinks of a graph with these options, which are prepared. `patient`: of a recording, whose alerts are delivered to
        no person. `stopped` halts what an alert is about.
        """
        from ...sinks import Lent
        from .deliveries import alert_sinks

        lent = Lent()
        return [
            *self.console.sinks(),
            *self.store.sinks(options, lent),
            *self.spool.sinks(options),
            *self.otel.sinks(patient=patient),
            *self.page.sinks(None if self.store.db is None else lent),
            *self.plugin.sinks(),
            *([] if patient else alert_sinks(options.guard, stopped, reloads=options.rules_file is not None)),
        ]
