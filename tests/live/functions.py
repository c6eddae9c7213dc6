"""A compiled source -> its functions, each offered to the kernel as what it is: a probe, or a program for tracepoints."""

from __future__ import annotations

import re
from contextlib import closing

from agentsight_rx.sources.kernel.loaded import Image, Loaded
from agentsight_rx.sources.kernel.syscall import KPROBE, RAW_TRACEPOINT, TRACEPOINT

__all__ = ["refusals"]

_RAW = "raw_tracepoint__"
_PROBE = re.compile(r"^int (\w+)\(struct pt_regs \*", re.MULTILINE)
_MOMENT = re.compile(r"^(?:PART_AT\(|int )(\w+)(?:, |\(struct bpf_raw_tracepoint_args \*)", re.MULTILINE)


def refusals(image: Image, text: str, *, attach_type: int) -> dict[str, str]:
    """
    Each function, and why the kernel refuses it, "" where it does not. `text` is the C source; probes are loaded with this type
    of attachment: programs that go on in each other have the same one, as in a capture.
    """
    probes, moments = set(_PROBE.findall(text)), set(_MOMENT.findall(text))
    reasons: dict[str, str] = {}
    with closing(Loaded(image)) as loaded:
        for name in (each.name for each in image.functions):
            is_raw = name.startswith(_RAW) or name in moments
            kind = RAW_TRACEPOINT if is_raw else KPROBE if name in probes else TRACEPOINT
            reasons[name] = ""
            for run in loaded.runs:
                try:
                    loaded.load(name, kind, attach_type=attach_type if kind == KPROBE else 0, run=run)
                except OSError as error:
                    reasons[name] = str(error)
    return reasons
