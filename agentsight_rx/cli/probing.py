"""doctor --probe: a file, a command or a process -> where its TLS would be read, how that was found, or why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import AgentsightError, CaptureError, UsageError
from ..sources.tls.candidates import tls_candidates
from ..sources.tls.commands import resolve
from ..sources.tls.libraries import findings_of
from ..sources.tls.mapped import mapped_files
from ..sources.tls.stacks.finding import Finding

__all__ = ["probe_lines"]


def probe_lines(target: str) -> tuple[list[str], bool]:
    """
    The lines to show, and whether the TLS of one of the files can be read. `target` is a pid, a path, or a command in PATH.

    Raises UsageError where there is no such thing.
    """
    lines: list[str] = []
    any_read = False
    for name, place in _files(target):
        try:
            findings = findings_of(place)
        except CaptureError as error:
            lines.append(f"{name}: {error}")
            continue
        any_read = any_read or any(finding.hooks for finding in findings)
        if findings or len(lines) == 0:
            lines += [name, *(f"  {line}" for finding in findings for line in _said(finding))]
        if not findings:
            lines += [] if lines[-1] != name else ["  no TLS code that is known"]
    return lines, any_read


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
    if finding.failure:
        yield f"{finding.stack}: cannot be read: {finding.failure}"
    else:
        yield f"{finding.stack}, by {finding.method}"
    yield from (f"  {hook.shape} at {hook.offset:#x}" for hook in finding.hooks)
    yield from (f"  {each}" for each in finding.evidence)
