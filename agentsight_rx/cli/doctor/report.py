"""The findings about this machine, and about each source -> tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...core.messages import program
from ...runtime.plugins import Plugin
from ...store.reasons import SOURCES
from .checks import Check, can_record_at_all
from .trial import Outcome, can_record

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


_SEEN = {
    "tls": "what our own program sent and received over TLS was read",
    "plain_http": "its request and its answer were read",
    "process": "a program that it started was seen",
    "files": "a file that it wrote was seen",
    "net": "a connection that it opened was seen",
    "readline": "a line that was typed into its bash was read",
    "stdio": "what it wrote to its standard output was read",
    "system": "its processor time and memory were measured",
}


def render(
    machine: Iterable[Check], outcomes: Iterable[Outcome], added: Iterable[Plugin] = (), others: Sequence[Check] = ()
) -> Group:
    """
    The machine, the capture of a program of our own with a line for each source, the parts of other packages, each way to see
    what agents do (`others`), and whether `record` starts.
    """
    from rich.console import Group  # takes 15 ms, which a capture must not pay
    from rich.text import Text

    tried = list(outcomes)
    parts: list[Table | Text] = [Text("This machine", "bold"), _table(map(_of_machine, machine))]
    if tried:
        parts += [Text("\nWhat is captured here", "bold"), _table(map(_of_source, tried))]
    plugins = list(map(_of_plugin, added))
    if plugins:
        parts += [Text("\nWhat other packages add", "bold"), _table(plugins)]
    if others:
        parts += [Text("\nWays to see what agents do", "bold"), _table(map(_of_machine, others))]
    parts.append(Text(f"\n{_verdict(tried, others)}", "bold"))
    return Group(*parts)


def _table(rows: Iterable[tuple[str, str, str]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for mark, name, text in rows:
        table.add_row(mark, name, escape(text))
    return table


_YES, _NO, _OTHERWISE = "[green]ok[/]", "[red]--[/]", "[yellow]··[/]"


def _of_machine(check: Check) -> tuple[str, str, str]:
    if check.ok:
        return _YES, check.name, check.seen
    return _OTHERWISE, check.name, f"{check.seen}\n{check.without}" + (f"\nwhat to do: {check.remedy}" if check.remedy else "")


def _of_source(outcome: Outcome) -> tuple[str, str, str]:
    name = SOURCES[outcome.source]
    if outcome.seen:
        return _YES, name, _SEEN[outcome.source]
    if not outcome.opened:
        return _NO, name, f"NOT captured: {outcome.why}"
    if outcome.why:
        return _OTHERWISE, name, outcome.why
    return _NO, name, "the kernel allows it, but nothing of our own program was seen: please report it, with this page"


def _of_plugin(plugin: Plugin) -> tuple[str, str, str]:
    name, origin = f"{plugin.group} {plugin.name}", f"{plugin.package} {plugin.version}".strip()
    return (_NO, name, f"{origin} is skipped: {plugin.why}") if plugin.why else (_YES, name, origin)


def _verdict(tried: list[Outcome], others: Sequence[Check]) -> str:
    if not can_record(tried) and can_record_at_all(others):
        return f"`{program()} record` starts here, by breakpoints."
    if not can_record(tried):
        return f"`{program()} record` does not start here."
    missing = [SOURCES[each.source] for each in tried if not each.seen]
    if not missing:
        return f"`{program()} record` starts here, and sees everything."
    return f"`{program()} record` starts here, without: {', '.join(missing)}."
