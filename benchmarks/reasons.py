"""A target that is missed -> why, as far as is known. A figure has a reason of its own, or that of its group."""

from __future__ import annotations

from .figures import Figure

__all__ = ["reason_for"]

_UNKNOWN = "the reason is not known yet."

_OF_FIGURES = {
    "graph: a store, threaded: added to the graph": (
        "87 KB of a call are stored for the first time: to find where they are cut takes 0.3 ms, to name 170 pieces 0.5 ms, "
        "to compress them 1.2 ms; that is 9 µs for each of its 213 events. What is sent again costs nothing of it."
    ),
    "graph: graph to parse only, 1,000 connections": (
        "a batch of 4,096 holds four records of each connection in the place of 64, so that what is done once a run is done "
        "for each fourth event."
    ),
    "wire: parse_http, merge_sse, 1000 connections, to: parse_http, merge_sse, 10 connections": (
        "the target is older than runs of records, which made 10 connections three times and 1,000 a third faster."
    ),
    "operators: graph with redaction, to: graph without redaction": (
        "every text is searched for secrets of many kinds, for their names and encodings; without it the graph is faster, too."
    ),
    "operators: SseDecoder + reader, to: find the data, decode it": (
        "event by event, as here, each is decoded alone; a graph hands over many at once."
    ),
    "start: record -- true, warm: before the command": (
        "Python imports the program, eight sources load their BPF programs, for which the verifier needs 0.17 s, and the "
        "kernel attaches their probes."
    ),
    "start: record -- true, warm: after the command": "probes are detached source by source; the kernel waits.",
    "memory: anonymous memory of record, all sources, at the start": "LLVM stays loaded where a program had to be compiled.",
    "tls: slowdown of a loop of TLS records of 200 bytes (Python)": (
        "3.2 µs are added to a call: a probe where it begins and one where it ends, 0.5 to 0.7 µs each in the kernel, 1 µs for "
        "the BPF programs, and caches that the engine on the other core shares."
    ),
    "agent: wall-clock time that record adds to a scripted agent": (
        "on two cores the engine takes time from the programs that the agent runs; see the interval."
    ),
}
_RATE = (
    "the engine needs a whole core at this rate, 15 µs for a record of 4 KB; the load has the other core, and the kernel takes "
    "some of both. What was lost above it is counted to the last record."
)
_OF_GROUPS = {
    "replay": (
        "a line is decoded to a typed event in 0.6 of the time of json.loads, and the graph needs as much as json.loads again, "
        "which is C and makes dicts alone."
    ),
    "graph": (
        "4.4 µs an event, of which 3.4 are what heads, bodies, secrets and rows need by themselves, in Python, each in a loop "
        "that does nothing else."
    ),
    "wire": "frames are taken apart in Python, a few steps each.",
    "operators": "the floor is a bare loop over the same functions, without counters and without safety against exceptions.",
    "start": "Python imports the program, eight sources open their programs, and each probe takes the kernel some ms.",
    "idle": "every reader looks at the counters of the kernel once a second, also while nothing happens.",
    "memory": "tables are limited in entries, and fill up.",
    "growth": "caches of the processor hold less of what is larger.",
    "hostile": "each frame or line costs a step of Python before its flood is recognised.",
    "tls": _RATE,
    "agent": "on two cores the engine takes time from the programs that the agent runs.",
    "store": "a transaction of the store holds rows and log.",
}


def reason_for(figure: Figure) -> str:
    return _OF_FIGURES.get(figure.key) or _OF_GROUPS.get(figure.group, _UNKNOWN)
