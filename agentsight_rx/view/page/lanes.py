"""A session -> the lanes of its timeline: spans merged to the pixel, and the curves of processor and memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ...store.rows.kinds import ProcessRow, ResourceRow
from ...store.rows.tables import PROCESSES, RESOURCES
from ...store.rows.tool_words import asked_for, has_failed, outcome_said
from ...store.words import cut, data_size, end_said, money, took
from ..queries.calls.costs import PricedCall
from ..queries.effects.file_fates import effect_of
from .picture import WHOLE, Picture
from .threads import Threads, threads_of
from .words import gap_of_call

_FAMILIES_MOST = 12  # lanes of programs; the others are one lane
_POINTS_MOST = 2000
_LABEL = 48  # characters
_SAMPLES_MOST = 20_000


class Lane(Struct, frozen=True, omit_defaults=True):
    """
    One lane, in columns: each span is (start, end, flags, turn, label), times in ms after the start. `kind`: model, tools,
    agent, program, files. Flags: 1 failed, 2 something is missing, 4 has not ended.
    """

    kind: str
    name: str
    start: tuple[int, ...]
    end: tuple[int, ...]
    flags: tuple[int, ...]
    turn: tuple[int, ...]
    label: tuple[str, ...]
    info: tuple[str, ...] = ()  # how it ended, what it used, what its call cost; "" for several spans
    below: bool = False  # of the lane above it


class Curve(Struct, frozen=True):
    """Processor (100: one core) and memory (MB) at these times (ms after the start): of the process with all below it."""

    at: tuple[int, ...] = ()
    cpu: tuple[float, ...] = ()
    memory: tuple[int, ...] = ()


class Lanes(Struct, frozen=True):
    start_ms: int
    length_ms: int
    lanes: tuple[Lane, ...]
    curve: Curve
    partial: bool = False  # it has older calls and programs too
    first_ms: int = 0  # when the first call began, in ms after the start


class _Span(Struct):
    start: int
    end: int
    flags: int = 0
    turn: int = 0
    label: str = ""
    info: str = ""


def lanes_of(picture: Picture, session: str, /, *, width: int, part: tuple[int, int] | None = None) -> Lanes:
    """
    `width`: pixels for the whole length, or for the `part` of it (from, to; ms after the start) that is wanted; spans of one
    kind in one pixel are one. Raises KeyError for an unknown session.
    """
    work = picture.work(session)
    threads = threads_of(session, work)
    processes, whole = picture.newest_rows(PROCESSES, session)
    programs = [row for row in processes if row.command and row.view_source != "seed"]
    samples = _samples(picture, session)
    begins = [call.start_timestamp_ms for call in work.calls] + [row.start_timestamp_ms or 0 for row in programs]
    start = min((each for each in begins if each), default=0)
    ends = [call.end_timestamp_ms or call.start_timestamp_ms for call in work.calls]
    ends += [tool.end_timestamp_ms or tool.timestamp_ms for tool in work.tools]
    ends += [row.end_timestamp_ms or row.start_timestamp_ms or 0 for row in programs]
    end = max(ends, default=start)
    length = max(1, end - start)
    seen_from, seen_to = part or (0, length)
    pixel = max(1, 2 * (seen_to - seen_from) // max(width, 1))  # two, since narrower ones look alike

    lanes: list[Lane] = []

    def put(kind: str, name: str, spans: Iterable[_Span], *, below: bool = False) -> None:
        all_spans = list(spans)
        seen = [span for span in all_spans if span.start <= seen_to and span.end >= seen_from]
        lane = _lane(kind, name, _merged(seen, pixel), below=below)
        lanes.extend([lane] if all_spans else [])  # also where the part has none: lanes stay where they are

    def of_calls(calls: Sequence[PricedCall]) -> list[_Span]:
        return [
            _Span(
                call.start_timestamp_ms - start,
                (call.end_timestamp_ms or end) - start,
                (call.status == "error")
                | 2 * (gap_of_call(call, goes_on=picture.goes_on(call)) is not None)
                | 4 * (call.end_timestamp_ms is None),
                threads.turns.get(call.id, 0),
                call.model or "",
                info=money(call.cost_usd) if call.cost_usd else "",
            )
            for call in calls
        ]

    main = {call.id for call in threads.main}
    put("model", "model", of_calls(_with_tries(threads.main, threads)))
    put(
        "tools",
        "tools",
        [
            _Span(
                tool.timestamp_ms - start,
                (tool.end_timestamp_ms or tool.timestamp_ms) - start,
                int(has_failed(tool)) | 4 * (tool.end_timestamp_ms is None),
                threads.turns.get(tool.llm_call_id, 0),
                cut(f"{tool.tool_name} {asked_for(tool.input)}", _LABEL),
                info=outcome_said(tool),
            )
            for tool in work.tools
            if tool.llm_call_id in main
        ],
    )
    for found in threads.below.values():
        for thread in found:
            put("agent", thread.name, of_calls(_with_tries(thread.calls, threads)), below=True)
    for name, spans in _families(picture, programs, start, end):
        put("program", name, spans, below=True)
    put("files", "files written, removed", _file_ticks(picture, session, start))
    first = min((call.start_timestamp_ms for call in work.calls), default=start)
    return Lanes(start, length, tuple(lanes), _curve(samples, start), partial=work.cut or not whole, first_ms=first - start)


def _with_tries(calls: Sequence[PricedCall], threads: Threads) -> list[PricedCall]:
    return [each for call in calls for each in (*threads.tries.get(call.id, ()), call)]


def _lane(kind: str, name: str, spans: Sequence[_Span], *, below: bool) -> Lane:
    return Lane(
        kind,
        name,
        tuple(span.start for span in spans),
        tuple(span.end for span in spans),
        flags=tuple(span.flags for span in spans),
        turn=tuple(span.turn for span in spans),
        label=tuple(span.label for span in spans),
        info=tuple(span.info for span in spans),
        below=below,
    )


def _merged(spans: Iterable[_Span], pixel: int) -> list[_Span]:
    """Spans of one pixel are one, with the flags of all of them."""
    found: list[_Span] = []
    for span in sorted(spans, key=lambda each: each.start):
        last = found[-1] if found else None
        short = span.end - span.start < pixel
        if last is not None and short and last.end - last.start < pixel and span.start - last.start < pixel:
            last.end, last.flags = max(last.end, span.end), last.flags | span.flags
            last.turn, last.info = last.turn or span.turn, ""
        else:
            found.append(span)
    return found


def _families(picture: Picture, programs: Sequence[ProcessRow], start: int, end: int) -> list[tuple[str, list[_Span]]]:
    """Programs by their name; the programs that ran longest in all have a lane of their own."""
    by_name: dict[str, list[_Span]] = {}
    for row in programs:
        begin = (row.start_timestamp_ms or start) - start
        cause = picture.causes.of_process(row.id)
        span = _Span(
            begin,
            (row.end_timestamp_ms or end) - start,
            int(row.has_failed) | 4 * (row.end_timestamp_ms is None),
            cause.turn if cause else 0,
            cut(" ".join(row.argv) or row.command or "", _LABEL),
            info=_used(row),
        )
        by_name.setdefault((row.command or row.comm or "?").rpartition("/")[2] or "?", []).append(span)
    order = sorted(by_name, key=lambda name: -sum(span.end - span.start + 1 for span in by_name[name]))
    found = [(_titled(name, by_name[name]), by_name[name]) for name in order[:_FAMILIES_MOST]]
    rest = [span for name in order[_FAMILIES_MOST:] for span in by_name[name]]
    return [*found, (", ".join(order[_FAMILIES_MOST:])[:60], rest)] if rest else found


def _used(row: ProcessRow) -> str:
    """`exit 1, 3.0 s CPU, 181.0 MB`, as far as it is known."""
    cpu = f"{took(row.cpu_ms)} CPU" if row.cpu_ms else ""
    memory = data_size(row.peak_bytes) if row.peak_bytes else ""
    return ", ".join(filter(None, (end_said(row.exit_code, row.signal), cpu, memory)))


def _titled(name: str, spans: Sequence[_Span]) -> str:
    return f"{name}, {len(spans)} runs" if len(spans) > 1 else name


def _file_ticks(picture: Picture, session: str, start: int) -> list[_Span]:
    rows, _ = picture.audits(session, "file")
    found: list[_Span] = []
    for row in rows:
        effect = effect_of(row)
        if effect in ("written", "removed", "moved", "refused") and not (row.target or "").startswith(("/dev/", "/proc/")):
            cause = picture.causes.of(row)
            at = row.timestamp_ms - start
            found.append(
                _Span(at, at, int(effect == "refused"), cause.turn if cause else 0, f"{effect} {cut(row.target or '', _LABEL)}")
            )
    return [span for span in found if span.start >= 0]


def _samples(picture: Picture, session: str) -> list[ResourceRow]:
    row = None if session == WHOLE else picture.session(session)
    all_samples = [each for _, each in picture.store.scan(RESOURCES, reverse=True, limit=_SAMPLES_MOST)][::-1]
    own = [each for each in all_samples if row is not None and each.pid == row.pid]
    return own or all_samples


def _curve(samples: Sequence[ResourceRow], start: int) -> Curve:
    """The highest of one time: a process counts with those below it. Long ones are thinned, keeping the peaks."""
    at: dict[int, tuple[float, int]] = {}
    for each in samples:
        cpu, memory = at.get(each.timestamp_ms, (0.0, 0))
        at[each.timestamp_ms] = max(cpu, each.cpu_percent or 0.0), max(memory, each.rss_mb)
    points = [(time - start, *value) for time, value in sorted(at.items()) if time >= start]
    step = len(points) // _POINTS_MOST + 1
    thinned = [
        (part[0][0], max(cpu for _, cpu, _ in part), max(memory for _, _, memory in part))
        for begin in range(0, len(points), step)
        if (part := points[begin : begin + step])
    ]
    return Curve(
        tuple(time for time, _, _ in thinned), tuple(round(cpu, 1) for _, cpu, _ in thinned), tuple(m for _, _, m in thinned)
    )
