"""Findings of files -> attached probes; lost probes are put back, wrong ones are taken out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec

from ...core.errors import CaptureError
from ...events import Loss, Origin, TlsEvent
from ...events.loss import Reason
from ..kernel.probes import ProbeRefused, Probes
from ..kernel.program import Program
from .calibration import LEARNT, Calibration
from .candidates import mapped_files
from .libraries import Library, Probed, file_id, open_file
from .records import Records, needs_layout, needs_sockets, sites
from .scope import Silence
from .stacks.cache import identity_of, keep_finding
from .stacks.finding import Finding, Hook, Placement

# System calls that send on a socket; a thread does not send what it encrypted in any other way
_SENDS = ("write", "writev", "sendto", "sendmsg", "sendmmsg")

_TOGETHER = 8  # candidates that are taken out together: a program with 28 has eight links, closed in 0.4 s


class Attacher:
    """The probes of one TLS source, where `placement` wants them. `say` gets a sentence for each file."""

    def __init__(
        self,
        program: Program[Any],
        probes: Probes,
        records: Records,
        say: Callable[[str], None],
        *,
        placement: Placement = "cheap",
    ) -> None:
        self._program = program
        self._probes = probes
        self._records = records
        self._say = say
        self._placement: Placement = placement
        self._sockets = False  # socket calls are watched
        records.calibration = self._calibration = Calibration(program.bpf["rings"])
        self.losses: list[Loss] = []  # of what the kernel refused, until they are taken
        self._silence = Silence(records.traffic, records.connections.plaintext)

    def attach(self, library: Library, place: str) -> list[Finding]:
        """
        Probe all that was found in the file, which `place` opens. Returns the probed libraries; raises CaptureError where the
        kernel refused all of it. What it refused is a Loss, and the TLS code of each process that connects with it.
        """
        probed: list[Finding] = []
        refusals: list[str] = []
        for finding in library.findings:
            if finding.hooks or finding.candidates:
                try:
                    self._probe(library, finding, place)
                    probed.append(finding)
                except ProbeRefused as refusal:
                    refusals.append(self._refused(library, finding.stack, refusal))
        if refusals and not probed:
            raise CaptureError("; ".join(refusals))
        for sentence in refusals:
            self._say(sentence)
        self._records.traffic.code.attached(library)
        return probed

    def _refused(self, library: Library, stack: str, refusal: ProbeRefused) -> str:
        note = f"{library.path}: {stack} is NOT read: {refusal}"
        self._records.traffic.code.unreadable(library, f"{stack}, of which the kernel refused a probe: {refusal.reason}")
        self.losses.append(Loss(Origin(time.monotonic_ns(), 0), "tls", reason=Reason.UNREADABLE, count=1, note=note))
        return note

    def _probe(self, library: Library, finding: Finding, place: str) -> None:
        by_socket = needs_sockets(finding)
        if by_socket and not self._sockets:
            self._program.attach("on_sent", "exit", _SENDS)
            self._sockets = True
        probed = Probed(library, finding, by_socket=by_socket)
        number = self._records.add(probed)
        if needs_layout(finding):
            self._calibration.begin(number, finding)
            with open_file(place) as file:
                probed.identity = identity_of(file)
        self._put(probed, number, place)

    def _put(self, probed: Probed, number: int, place: str) -> None:
        finding = probed.finding
        where = [site for hook in finding.placed(self._placement) for site in sites(hook, number)]
        if finding.hooks:
            probed.probes = self._probes.attach(place, where)
            return
        trial = [site for offset in finding.candidates for site in sites(Hook("ring_candidate", offset), number)]
        probed.probes = self._probes.attach(place, trial, together=_TOGETHER)

    def settle(self) -> None:
        """Take the candidates out whose place is now known to be with others, and keep the findings."""
        learnt, self._records.learnt = self._records.learnt, []
        for number, hooks in learnt:
            probed = self._records.connections.probed[number]
            finding = probed.finding
            if probed.probes is not None:
                wanted = {(site.program, site.offset) for hook in hooks for site in sites(hook, number)}
                trial = (site for hook in hooks for site in sites(Hook("ring_candidate", hook.offset), number))
                probed.probes.keep([site for site in trial if (site.program, site.offset) in wanted])
            why = tuple(map(_where, hooks))
            probed.finding = msgspec.structs.replace(
                finding, hooks=hooks, failure="", candidates=(), evidence=(*finding.evidence, LEARNT, *why)
            )
            keep_finding(probed.identity, probed.finding)
            self._say(f"{probed.library.path}: the layout of {finding.stack} is known now")

    def revive(self) -> list[TlsEvent]:
        """
        Attach anew what gives no plaintext while its processes read and write: the kernel drops probes without an error, for
        example where a program changes its code.
        """
        losses: list[TlsEvent] = []
        for silent in self._silence.look():
            for mapped in mapped_files((silent.origin.pid,)):
                with suppress(CaptureError), open_file(mapped.place) as file:
                    self._put_again(file)
            note = f"{silent.origin.comm} ({silent.origin.pid}) gave no plaintext for {silent.seconds} s; probes attached anew"
            self._say(note)
            losses.append(Loss(silent.origin, "tls", reason=Reason.UNREADABLE, count=1, size=silent.size, note=note))
        return losses

    def _put_again(self, file: BinaryIO) -> None:
        identity = file_id(file)
        for number, probed in enumerate(self._records.connections.probed):
            if probed.library.id == identity and probed.probes is not None:
                probed.probes.close()
                try:
                    self._put(probed, number, f"/proc/self/fd/{file.fileno()}")
                except ProbeRefused as refusal:
                    self._say(self._refused(probed.library, probed.finding.stack, refusal))

    def take_losses(self) -> list[Loss]:
        losses, self.losses = self.losses, []
        return losses

    def drop_wrong(self) -> None:
        """Take out functions that were wrongly taken for TLS functions."""
        wrong, self._records.connections.wrong = self._records.connections.wrong, []
        for probed in wrong:
            if probed.probes is not None:
                probed.probes.close()
            finding = probed.finding
            self._records.traffic.code.unreadable(probed.library, finding.stack)
            taken = f"the functions taken for {finding.stack} (by {finding.method})"
            self._say(f"{probed.library.path}: {taken} are something else; they are no longer watched")

    def close(self) -> None:
        self._probes.close()


def _where(hook: Hook) -> str:
    pair, at, value, _ = hook.layout
    what = "its result" if hook.shape == "ring_decrypt" else f"argument {(pair >> 16) + 1} at entry"
    return (
        f"{hook.shape} is the function at offset {hook.offset:#x}: word {pair >> 8 & 0xFF} of {what}; type {value} in byte {at}"
    )
