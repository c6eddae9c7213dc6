"""A target that is missed -> why, as far as is known. A figure has a reason of its own, or that of its group."""

from __future__ import annotations

from .figures import Figure

__all__ = ["reason_for"]

_UNKNOWN = "the reason is not known yet."

_OF_FIGURES = {
    "graph: a store, threaded: added to the graph": (
        "what is stored for the first time is cut, named, compressed and synced, on two threads of one interpreter."
    ),
    "start: record -- true, warm: after the command": "probes are detached source by source; the kernel waits.",
    "memory: anonymous memory of record, all sources, at the start": "LLVM stays loaded where a program had to be compiled.",
}
_OF_GROUPS = {
    "replay": "each line becomes typed events and passes every operator, in Python; json.loads is C and makes dicts alone.",
    "graph": "a floor of Python remains: heads, bodies, secrets and rows take 3.4 µs an event by themselves.",
    "wire": "frames are taken apart in Python, a few steps each.",
    "operators": "the floor is a bare loop over the same functions, without counters and without safety against exceptions.",
    "start": "Python imports the program, eight sources open their programs, and each probe takes the kernel some ms.",
    "idle": "every two seconds a sample is taken, behind which time advances in fine steps for a second.",
    "memory": "tables are limited in entries, and fill up.",
    "growth": "caches of the processor hold less of what is larger.",
    "hostile": "each frame or line costs a step of Python before its flood is recognised.",
    "tls": (
        "a probe whose instruction the kernel cannot emulate is single-stepped, which costs a virtual machine 10 µs a hit; "
        "the load and the engine share two cores, so that one loop makes no more records than this."
    ),
    "agent": "on two cores the engine takes time from the programs that the agent runs.",
    "store": "a transaction of the store holds rows and log.",
}


def reason_for(figure: Figure) -> str:
    return _OF_FIGURES.get(figure.key) or _OF_GROUPS.get(figure.group, _UNKNOWN)
