"""How processes are seen: by the kernel, or by breakpoints in them where the kernel refuses this user."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from ...core.errors import AgentsightError, CaptureError, Unavailable, UsageError
from ...core.messages import program, say
from ...sources import HookOptions, Tracing
from ...sources.hooks.source import why_not
from ...sources.kernel.features import require_kernel
from ...sources.kernel.probes import ProbeRefused, try_uprobe
from ...sources.kernel.rights import missing_rights, own_rights
from ...sources.opened import HOOKED, Inputs, SourceOptions, hooked, inputs, launched
from ...sources.tls.candidates import mapped_files, tls_candidates
from ...sources.tls.commands import resolve
from ...sources.tls.libraries import findings_of, system_libraries
from ...sources.tls.stacks.finding import Finding, Hook

# -- probing -------------------------------------------------------------------------------------------------------
# doctor --probe: a file, a command or a process -> where its TLS would be read, how that was found, or why it cannot be.


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


# ------------------------------------------------------------------------------------------------------------------------


_WAYS = ("auto", "kernel", "hooks")


class Way(Struct, frozen=True):
    """`tracing` follows processes, where the kernel does not show them."""

    tracing: Tracing | None = None

    def inputs(self, options: SourceOptions, pid: int | None, *, held: bool = False) -> Inputs:
        """The sources of a graph. `held`: the process is a command of ours that has not begun."""
        if self.tracing is None or pid is None:
            return inputs(launched(options) if held else options)
        kinds = tuple(name for name in HOOKED if getattr(options, name) is not None)
        return hooked(options, HookOptions(pid, kinds, held=held), self.tracing)

    def needed(self, required: Collection[str]) -> Collection[str]:
        """The sources without which nothing starts."""
        return required if self.tracing is None else {*required, "hooks"}


@contextmanager
def way_to_see(by: str, required: Collection[str] = ()) -> Generator[Way]:
    """
    The way for a process that is forked inside of this block, or runs. Raises UsageError for a wrong word, Unavailable where no
    way works here, CaptureError where this way does not show a `required` source.
    """
    if by not in _WAYS:
        raise UsageError(f"--by {by!r} is not a way to see processes: use {', '.join(_WAYS)}")
    refused = ""
    if by != "hooks":
        try:
            require_kernel()
        except Unavailable as error:
            refused = missing_rights() or str(error)
            if by == "kernel":
                raise
    if by != "hooks" and not refused:
        yield Way()
        return
    if why := why_not():
        first = f"{refused}. Without the kernel: {why}" if refused else why
        shows = f"`{program()} import` reads what agents wrote down, `{program()} demo` shows a recording"
        raise Unavailable(f"{first}. {shows}, and `{program()} doctor` each way")
    only = _lacking() or refused
    unseen = sorted({*required} - {*HOOKED, "all", "system"} | ({"stdio"} if "all" in required else set[str]()))
    if unseen:
        raise CaptureError(
            f"--require {unseen[0]}: only the kernel shows it{f', and {only}' if refused else ': leave out --by hooks'}"
        )
    say(f"seen by breakpoints in the processes of this user{f': for the kernel {only}' if refused else ''}")
    tracing = Tracing()
    try:
        yield Way(tracing)
    finally:
        tracing.close()


def _lacking() -> str:
    lacking = own_rights().lacking("program")
    return f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing" if lacking else ""
