"""The summary of a run -> lines of text for people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..loss import Entry, Reason, RuleCounts
from ..say import program
from ..view import BlindSpotRow, TlsUseRow
from ..view.fold.tls_uses import use_line
from ..view.queries.gaps import UNSEEN_WHY, unseen_said
from ..view.reasons import lost_words
from ..view.rows.beginnings import Beginning, beginnings_of
from ..view.rows.blind_spots import advice_of, sentence_of
from ..view.rows.tally import Totals
from ..view.words import plural, tokens_said, took

if TYPE_CHECKING:  # a report has nothing that runs
    from ..runtime import Summary

__all__ = ["completeness", "completeness_of", "empty_sources", "filter_line", "summary_lines", "tls_lines", "totals"]

_USES_SHOWN = 8


def summary_lines(summary: Summary, *, verb: str, store: str | None, hint: str | None, filters: bool = True) -> list[str]:
    """The end of a run: its duration, the totals, and whether anything is missing. `filters`: the user gave rules."""
    where = f" to {store}" if store else ""
    counts = map(filter_line, summary.filters if filters else ())
    lines = [*counts, f"{verb} {took(round(summary.seconds * 1000))}{where}", totals(summary.tally.totals)]
    lines += tls_lines(summary.tally.tls_uses.values())
    lines += empty_sources(summary)
    lines += completeness_of(summary)
    if hint:
        lines.append(f"report: {hint}")
    return lines


def completeness_of(summary: Summary) -> list[str]:
    """Of a run."""
    return completeness(
        summary.ledger.unintended(),
        summary.failures,
        blind_spots=summary.tally.blind_spots.values(),
        calls_cut=summary.tally.totals.calls_cut,
        commands_unseen=summary.tally.totals.commands_unseen,
        beginnings=beginnings_of(summary.tally.older.values(), summary.tally.tls_uses.values()),
    )


def filter_line(counts: RuleCounts) -> str:
    """The counts of a filter, in the words of the original."""
    return f"[{counts.name} Global Metrics] Total: {counts.seen}, Filtered: {counts.dropped}, Passed: {counts.passed}"


def empty_sources(summary: Summary) -> list[str]:
    """Reasons why a source saw nothing."""
    if not {"tls", "plain_http", "process"}.isdisjoint(summary.unavailable):
        return []  # that was said, and is a reason
    seen = {meter.stage: meter.seen for meter in summary.ledger}
    lines: list[str] = []
    read = seen.get("tls/parse_http", seen.get("tls"))  # the first stage that gets plaintext alone
    plain = seen.get("plain_http")
    if plain is not None:
        read = seen.get("merge/parse_http", (seen.get("tls") or 0) + plain)
        if read == 0:
            lines.append("no HTTP was read, with or without TLS: no watched process used it in a readable way")
        elif not summary.tally.totals.calls:
            lines.append("HTTP was seen, but no call of a known model API")
    elif read == 0:
        lines.append(f"no TLS traffic was read: no watched process used an OpenSSL that can be read (see `{program()} doctor`)")
    elif read and not summary.tally.totals.calls:
        lines.append("TLS traffic was seen, but no call of a known model API")
    if seen.get("process") == 0:
        lines.append("no process seen: no watched process started, ran a program or ended")
    return lines


def totals(tally: Totals) -> str:
    """Calls, tokens, tools, processes in one line."""
    parts = [
        f"{plural(tally.calls, 'API call')}{_states(tally)}",
        tokens_said(tally.asked_tokens, tally.cache_read_tokens, tally.output_tokens),
        f"{plural(tally.tools, 'tool call')}{f' ({tally.tools_linked} matched with a process)' if tally.tools else ''}",
        f"{plural(tally.programs, 'program')} in {plural(tally.processes, 'process', 'processes')}",
    ]
    for kind, name in (("file", "file event"), ("network", "network event"), ("mcp", "MCP request")):
        if tally.audits.get(kind):
            parts.append(plural(tally.audits[kind], name))
    return " · ".join(parts)


def _states(tally: Totals) -> str:
    """Calls that are not whole: unfinished ones ended before their answer did, of cut ones bytes were lost."""
    states = [f"{count} {name}" for count, name in ((tally.calls_unfinished, "unfinished"), (tally.calls_cut, "cut")) if count]
    return f" ({', '.join(states)})" if states else ""


def completeness(
    losses: Sequence[Entry],
    failures: Iterable[str] = (),
    *,
    cut_off: Sequence[int] = (),
    blind_spots: Iterable[BlindSpotRow] = (),
    calls_cut: int = 0,
    commands_unseen: int = 0,
    beginnings: Iterable[Beginning] = (),
) -> list[str]:
    """`complete: nothing lost`, or the gaps and their places."""
    lines = [f"  {failure}" for failure in failures]
    blind = list(blind_spots)
    for spot in blind:
        lines += [f"  could not be read: {sentence_of(spot)}", f"    {advice_of(spot)}"]
    if calls_cut:
        lines.append(f"  {plural(calls_cut, 'call')} cut: some of their bytes are missing")
    if commands_unseen:
        lines += [f"  {unseen_said(commands_unseen)}", f"    {UNSEEN_WHY}"]
    for entry in losses:
        if entry.reason is Reason.UNREADABLE and blind:
            continue  # said above, with names
        size = f", {entry.size} bytes" if entry.size else ""
        lines.append(f"  {lost_words(entry)}{size}")
    lines += [f"  {each.said}" for each in beginnings]
    lines += [f"  no orderly end: nothing is known after {_clock(moment)} (killed, or still running)" for moment in cut_off]
    return ["incomplete:", *lines] if lines else ["complete: nothing lost"]


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


def _clock(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ms / 1000))
