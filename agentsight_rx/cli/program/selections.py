"""How the flags that select processes combine: one table, in the help and in docs/cli.md. sources/target.py does it."""

from __future__ import annotations

# The flag; a process is watched if; together with others
SELECTIONS = (
    ("--pid PID", "it is this process", "all that is given of --pid, --comm and --session must fit"),
    ("--comm NAMES", "it or its program has exactly one of these names, whatever its threads are called", "as --pid"),
    ("--session SID", "it is in this session", "as --pid"),
    (
        "--[no-]children",
        "what fits an ancestor fits it too",
        "holds for --pid, --comm and --session, each by itself",
    ),
    (
        "--uid UID",
        "this user runs it when the event happens",
        "must fit besides; for one source --ssl-uid or --stdio-uid takes its place",
    ),
    ("--cgroup PATH", "it is in this control group or below when the event happens", "must fit besides"),
    (
        "--binary-path docker://NAME",
        "it is in this container (podman://, k8s:// too)",
        "watched by every source, besides the processes that --pid, --comm and --session choose",
    ),
    (
        "--binary-path FILE",
        "its TLS is read in this file too",
        "without --pid and --session, TLS is read only of processes that use the file, whatever --comm says",
    ),
    ("none of these", "every process is", "in a container without --pid=host: every process of the container"),
)
