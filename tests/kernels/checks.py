"""What a guest does, in this order: the rows of the table. Their programs are in `doing`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tests.kernels.results import Verdict

__all__ = ["CHECKS", "REFUSED", "SMOKE", "Check", "checks_for"]


class Check(Struct, frozen=True):
    """`name` is given to `tests.kernels.doing`; `good` are the verdicts that pass; `deadline_s` is for a slow guest."""

    name: str
    title: str
    good: tuple[Verdict, ...] = ("works",)
    deadline_s: float = 600.0


_EITHER: tuple[Verdict, ...] = ("works", "refused")  # what does not work says what to do
_HERE: tuple[Verdict, ...] = ("works", "absent")  # a kernel that lacks it takes the other way

_RIGHTS = Path(__file__).parents[1] / "live" / "test_rights.py"

CHECKS: tuple[Check, ...] = (
    Check("doctor", "`doctor` says that all is well"),
    Check("demo", "the demo: calls, tool, process, exit code"),
    Check("programs:multi", "every BPF function loads, for uprobe_multi", _HERE, 1500),
    Check("programs:single", "every BPF function loads, for probes one by one", deadline_s=1500),
    Check("programs:multi:turns", "the same without may_goto, for uprobe_multi", _HERE, 1500),
    Check("programs:single:turns", "the same without may_goto, one by one", _HERE, 1500),
    Check("record:python", "Python (OpenSSL), HTTP/1.1"),
    Check("record:curl-h1", "curl (OpenSSL), HTTP/1.1"),
    Check("record:curl-h2", "curl (OpenSSL), HTTP/2"),
    Check("record:wget", "wget (GnuTLS), HTTP/1.1"),
    Check("record:node", "node, HTTP/1.1"),
    Check("record:node-h2", "node, HTTP/2"),
    Check("record:go-h1", "Go, HTTP/1.1"),
    Check("record:go-h2", "Go, HTTP/2"),
    Check("record:rustls", "rustls (primp), HTTP/2"),
    Check("record:uv", "rustls (uv)"),
    Check("record:uv-ring", "rustls with ring (uv 0.5.0)"),
    Check("record:plain", "HTTP/1.1 without TLS"),
    Check("record:h2c", "HTTP/2 without TLS"),
    Check("test:process", "processes: arguments, ends, exit codes"),
    Check("test:files", "files: every operation with path and bytes"),
    Check("test:net", "network: every operation with addresses and outcome"),
    Check("test:stdio", "pipes: MCP of a client and a server"),
    Check("test:readline", "lines typed into bash"),
    Check("test:single", "TLS and lines without uprobe_multi"),
    *([Check("test:rights", "the project's own test of rights", deadline_s=900)] if _RIGHTS.exists() else []),
    Check("rights:2:doctor", "four capabilities, `perf_event_paranoid` 2: `doctor`", _EITHER),
    Check("rights:2:record", "four capabilities, `perf_event_paranoid` 2: `record -- curl`", _EITHER),
    Check("rights:3:doctor", "four capabilities, `perf_event_paranoid` 3: `doctor`", _EITHER),
    Check("rights:3:record", "four capabilities, `perf_event_paranoid` 3: `record -- curl`", _EITHER),
    Check("rights:2:without-bpf", "without CAP_BPF", _EITHER),
    Check("rights:2:without-perfmon", "without CAP_PERFMON", _EITHER),
    Check("rights:2:without-sys_ptrace", "without CAP_SYS_PTRACE", _EITHER),
    Check("rights:2:without-dac_read_search", "without CAP_DAC_READ_SEARCH", _EITHER),
)

REFUSED: tuple[Check, ...] = (
    Check("refused", "`record --by kernel` refuses by a sentence", ("refused",)),
    Check("hooks", "the demo, by breakpoints"),
)


SMOKE = frozenset(
    (
        "doctor",
        "demo",
        "record:python",
        "record:curl-h1",
        "record:go-h1",
        "record:uv-ring",
        "record:plain",
        "test:process",
        "test:files",
        "test:net",
        "test:stdio",
        "rights:2:record",
    )
)


def checks_for(expected: Literal["works", "refused"], chosen: Collection[str] = ()) -> Sequence[Check]:
    """In order; `chosen` are their names, also `smoke` for several of them, and `all`; none means all."""
    every = CHECKS if expected == "works" else REFUSED
    names = SMOKE.union(chosen) if "smoke" in chosen else chosen
    return [check for check in every if not names or "all" in names or check.name in names]
