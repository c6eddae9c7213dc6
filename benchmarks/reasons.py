"""A target that is missed -> why, as far as is known. A figure has a reason of its own, or the reason of its group."""

from __future__ import annotations

from benchmarks.figures import Figure

__all__ = ["reason_for"]

_UNKNOWN = "The reason is not known yet."

_OF_FIGURES = {
    "store: a call of content never seen": (
        "87 KB are cut into pieces of 0.5 KB and more. To cut, name and compress them takes 0.8 ms, and the log and the rows "
        "of the call the rest: some blocks of rows are compressed again."
    ),
    "graph: 1,000 connections to 1": (
        "A batch of 4,096 holds four records of each connection instead of 64. So the work for each run of records is done "
        "for every fourth event."
    ),
    "graph: a store, threaded: added to the graph": (
        "87 KB of a call are stored for the first time. Finding the cuts takes 0.3 ms, naming 170 pieces 0.5 ms, and "
        "compressing them 1.2 ms: 9 µs for each of its 213 events. Content that is sent again costs nothing of this."
    ),
    "graph: graph to parse only, 1,000 connections": (
        "A batch of 4,096 holds four records of each connection instead of 64. So the work for each run of records is done "
        "for every fourth event."
    ),
    "wire: parse_http, merge_sse, 1000 connections, to: parse_http, merge_sse, 10 connections": (
        "The target is older than runs of records, which made 10 connections three times and 1,000 a third faster."
    ),
    "operators: graph with redaction, to: graph without redaction": (
        "Every text is searched for secrets of many kinds, for their names and encodings. "
        "The graph without redaction is also faster."
    ),
    "operators: SseDecoder + reader, to: find the data, decode it": (
        "Here each event is decoded alone. A graph hands over many at once."
    ),
    "start: record -- true, warm: before the command": (
        "Two processors are busy with it: Python imports 800 modules, and eight sources load their BPF programs, for which the "
        "verifier needs 0.18 s."
    ),
    "start: record -- true, warm: processor time": (
        "The verifier needs 0.18 s for 64 programs, imports 0.2 s, tables and rings of the kernel 0.05 s, to end and to detach "
        "0.08 s, and Python itself 0.05 s."
    ),
    "memory: record while nothing happens, all sources: anonymous memory and BPF tables": (
        "Rings take 85 MB: what may come before they have grown, 16 MB of TLS and of pipes each and 32 MB of plain HTTP, and "
        "17 MB for processes, files, connections and typed lines. Tables take 41 MB, and Python 37."
    ),
    "agent: processor time of record itself, to the agent's": (
        "The start and the end take 1.2 of the 2.8 s; the rest are records of programs, files, connections and calls, of files "
        "alone 19,000."
    ),
    "start: record -- true, warm: after the command": "Probes are detached source by source, and the kernel waits.",
    "memory: anonymous memory of record, all sources, at the start": "LLVM stays loaded where a program had to be compiled.",
    "tls: slowdown of a loop of TLS records of 200 bytes (Python)": (
        "A call takes 3.2 µs more. The probes at its begin and its end cost 0.5 to 0.7 µs each in the kernel, and the BPF "
        "programs 1 µs. The engine on the other core shares the caches."
    ),
    "agent: wall-clock time that record adds to a scripted agent": (
        "On two cores the engine takes time from the programs that the agent runs; see the interval."
    ),
}
_RATE = (
    "The engine needs a whole core at this rate, 15 µs for a record of 4 KB. The load has the other core, and the kernel takes "
    "some of both. Above this rate, every lost record is counted."
)
_OF_GROUPS = {
    "replay": (
        "A line is decoded to a typed event in 0.6 of the time of json.loads, and the graph needs as much as json.loads again. "
        "json.loads is C and makes only dicts."
    ),
    "graph": (
        "Heads, bodies, secrets and rows in loops that do nothing else need 5.3 times as long as parse only (2026-11-28). The "
        "search for secrets has grown since."
    ),
    "wire": "Frames are taken apart in Python, a few steps each.",
    "operators": "The floor is a bare loop over the same functions, without counters and without safety against exceptions.",
    "start": "Python imports the program, eight sources open their programs, and each probe takes the kernel some ms.",
    "idle": "Eight readers, the engine and the sinks wake once to three times a second each, with cold caches: 0.2 to 0.6 ms.",
    "memory": "Tables are limited in entries, and fill up.",
    "growth": "The processor's caches hold a smaller part of larger data.",
    "hostile": "Each frame or line costs a step of Python before its flood is recognised.",
    "tls": _RATE,
    "agent": "On two cores the engine takes time from the programs that the agent runs.",
    "store": "A transaction of the store holds rows and log.",
    "proxy": (
        "A call is 213 records that come one by one. A reader takes them ten times a second and the engine twice, each time "
        "with cold caches; then redaction, rows and a store. mitmdump copies bytes and parses heads. What a client waits "
        "longer is within the noise of both."
    ),
}


def reason_for(figure: Figure) -> str:
    return _OF_FIGURES.get(figure.key) or _OF_GROUPS.get(figure.group, _UNKNOWN)
