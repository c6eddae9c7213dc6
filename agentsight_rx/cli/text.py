"""The summary of a run -> lines of text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..core.messages import program
from ..events.loss import RuleCounts
from ..store.rows.gaps import Gaps, use_line
from ..store.rows.tally import Totals
from ..store.words import plural
from ..view import TlsUseRow
from ..view.queries.sessions.gaps import missing_things

if TYPE_CHECKING:  # a report has nothing that runs
    from ..runtime.run import Summary


_USES_SHOWN = 8


def filter_line(counts: RuleCounts) -> str:
    """The counts of a filter, in the words of the original."""
    return f"[{counts.name} Global Metrics] Total: {counts.seen}, Filtered: {counts.dropped}, Passed: {counts.passed}"


def empty_sources(summary: Summary) -> list[str]:
    """Reasons why a source saw nothing."""
    if not {"tls", "plain_http", "process"}.isdisjoint(summary.unavailable):
        return []  # that was said, and is a reason
    seen = {meter.stage: meter.seen for meter in summary.ledger}
    lines = [] if summary.tally.totals.calls else list(_without_calls(seen))
    if seen.get("process") == 0:
        lines.append("no process seen: no watched process started, ran a program or ended")
    return lines


def _without_calls(seen: Mapping[str, int]) -> Iterator[str]:
    """Why there may be no call. `seen`: how much came to each stage."""
    read = seen.get("tls/parse_http", seen.get("tls"))  # the first stage that gets plaintext alone
    plain = seen.get("plain_http")
    if plain is not None:
        read = seen.get("merge/parse_http", (seen.get("tls") or 0) + plain)
        said = "no HTTP was read, with or without TLS: no watched process used it in a readable way"
        yield said if read == 0 else "HTTP was seen, but no call of a known model API"
    elif read == 0:
        yield f"no TLS traffic was read: no watched process used an OpenSSL that can be read (see `{program()} doctor`)"
    elif read:
        yield "TLS traffic was seen, but no call of a known model API"


def did_said(tally: Totals) -> str:
    """What a run saw, in counts: `asked for 2 tools (1 matched with a process), 3 programs ran, 5 file events`."""
    found: list[str] = []
    if tally.tools:
        found.append(f"asked for {plural(tally.tools, 'tool')} ({tally.tools_linked:,} matched with a process)")
    if tally.programs:
        found.append(f"{plural(tally.programs, 'program')} ran")
    for kind, name in (
        ("file", "file event"),
        ("network", "network event"),
        ("mcp", "MCP request"),
        ("rpc", "other JSON-RPC request"),
    ):
        if tally.audits.get(kind):
            found.append(plural(tally.audits[kind], name))
    if not found:
        return "no tool and no program was seen" if tally.calls else "nothing was seen"
    return ", ".join(found) + ("" if tally.calls else ", and no call of a model was seen")


def states_said(tally: Totals) -> str:
    """Calls that are not whole: unfinished ones ended before their answer did, of cut ones bytes were lost."""
    counts = (tally.calls_unfinished, "unfinished"), (tally.calls_cut, "cut")
    states = [f"{count:,} {name}" for count, name in counts if count]
    return f" ({', '.join(states)})" if states else ""


def gap_lines(gaps: Gaps) -> Iterator[str]:
    """The gaps, why, and what to do; none where nothing is missing."""
    for each in missing_things(gaps):
        what, more = each.lines
        yield f"  {what}"
        if more:
            yield f"    {more}"


def tls_lines(uses: Iterable[TlsUseRow]) -> list[str]:
    """Whose TLS was read, and how it was found; of processes alike, one line."""
    alike: dict[tuple[str, str, str, str, bool], list[TlsUseRow]] = {}
    for row in uses:
        alike.setdefault((row.comm, row.stack, row.path, row.method, row.proven), []).append(row)
    lines = ["TLS read of"] if alike else []
    for rows in list(alike.values())[:_USES_SHOWN]:
        counts = {name: sum(getattr(row, name) for row in rows) for name in ("connections", "size", "midway")}
        lines.append(f"  {use_line(replace(rows[-1], **counts))}")
    if len(alike) > _USES_SHOWN:
        lines.append(f"  and {len(alike) - _USES_SHOWN} more")
    return lines
