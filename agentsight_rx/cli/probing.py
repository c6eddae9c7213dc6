"""doctor --probe: a file, a command or a process -> where its TLS would be read, how that was found, or why it cannot be."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..core.errors import AgentsightError, CaptureError, UsageError
from ..sources.kernel.perf_events import try_uprobe
from ..sources.kernel.probes import ProbeRefused
from ..sources.tls.candidates import tls_candidates
from ..sources.tls.commands import resolve
from ..sources.tls.libraries import findings_of, system_libraries
from ..sources.tls.mapped import mapped_files
from ..sources.tls.stacks.finding import Finding, Hook

__all__ = ["probe_lines"]


def probe_lines(target: str) -> tuple[list[str], bool]:
    """
    The lines to show, and whether the TLS of one of the files can be read. `target` is a pid, a path, or a command in PATH.

    Raises UsageError where there is no such thing.
    """
    files = [(name, *_tried(place, *_findings(place))) for name, place in _files(target)]
    of_system = set(map(str, system_libraries()))
    own = [each for each in files if each[0] not in of_system and (each[1] or each[2])]
    shown = own or [*files[:1], *(each for each in files[1:] if each[1])]
    lines: list[str] = []
    for name, findings, problem in shown:
        said = [line for finding in findings for line in _said(finding)] or [problem or "no known TLS code"]
        lines += [name, *(f"  {line}" for line in said)]
    return lines, any(finding.hooks or finding.candidates for _, findings, _ in shown for finding in findings)


def _findings(place: str) -> tuple[tuple[Finding, ...], str]:
    """What the file has, or why it cannot be searched."""
    try:
        return findings_of(place), ""
    except CaptureError as error:
        return (), str(error)


def _tried(place: str, findings: tuple[Finding, ...], problem: str) -> tuple[tuple[Finding, ...], str]:
    """The findings. If the kernel refuses to probe the functions of one, it is a failure."""
    return tuple(_refused(place, finding) for finding in findings), problem


# without privileges, and where the kernel has no perf uprobes, it says nothing of the place
_NOT_ASKED = (errno.EPERM, errno.EACCES, errno.ENOENT)


def _refused(place: str, finding: Finding) -> Finding:
    for hook in finding.placed("cheap"):
        try:
            os.close(try_uprobe(place, hook.offset))
        except OSError as error:
            if error.errno in _NOT_ASKED:
                return finding
            return msgspec.structs.replace(
                finding, hooks=(), candidates=(), failure=f"at offset {hook.offset:#x} {ProbeRefused(error)}"
            )
    return finding


def _files(target: str) -> Iterator[tuple[str, str]]:
    """(what to call it, a path that opens it) of each file with code."""
    if target.isdecimal():
        if not Path("/proc", target).exists():
            raise UsageError(f"there is no process {target}; give a pid, a file or a command")
        yield from ((mapped.name, mapped.place) for mapped in mapped_files([int(target)]))
        return
    if "/" in target and not Path(target).exists():
        raise UsageError(f"there is no file {target}; give a pid, a file or a command")
    try:
        resolved = resolve(target)
    except AgentsightError as error:
        if "/" not in target:
            raise UsageError(f"{error}; give a pid, a file or a command") from error
        yield target, target  # a library, not a program
        return
    programs = dict.fromkeys((resolved.path, *resolved.others))
    yield from ((path, path) for path in dict.fromkeys((*programs, *tls_candidates(*resolved.chain, *resolved.others))))


def _said(finding: Finding) -> Iterator[str]:
    if finding.candidates:
        yield f"{finding.stack}, found by {finding.method}; its layout is learnt from the first connection"
    elif finding.failure:
        yield f"{finding.stack}: cannot be read: {finding.failure}"
    else:
        yield f"{finding.stack}, by {finding.method}"
    yield from (f"  {each}" for each in finding.evidence)
    yield from (f"  {_place(each)}" for each in finding.hooks)


def _place(hook: Hook) -> str:
    """Where in the file the calls of a function are seen, and at what cost (docs/tls.md)."""
    if hook.instead is not None:
        where = f"{hook.instead.offset:#x}, where they cost less than at its begin, {hook.offset:#x}"
    else:
        where = f"{hook.offset:#x}{', an instruction that the kernel has to step through' if hook.stepped else ''}"
    return f"calls of {hook.shape} are seen at offset {where}"
