"""What the kernel refuses is said, counted, and the reason why traffic was not read."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agentsight_rx.errors import CaptureError
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources.kernel.probes import Attached, ProbeRefused, Probes, Site
from agentsight_rx.sources.tls.attacher import Attacher
from agentsight_rx.sources.tls.libraries import Library, inspect
from agentsight_rx.sources.tls.records import Records
from agentsight_rx.sources.tls.stacks.finding import Finding, Hook


class Kernel:
    """Probes that refuse the places in `taken`."""

    def __init__(self, taken: set[int]) -> None:
        self.taken = taken

    def attach(self, path: str, sites: Sequence[Site], *, together: int = 1) -> Attached:
        if any(site.offset in self.taken for site in sites):
            raise ProbeRefused(OSError(errno.EINVAL, "Invalid argument"))
        return Attached()

    def close(self) -> None:
        pass


def attacher(taken: set[int], said: list[str]) -> tuple[Attacher, Records]:
    records = Records(handshakes=False)
    return Attacher(
        cast("Any", SimpleNamespace(bpf={"rings": None})), cast("Probes", Kernel(taken)), records, said.append
    ), records


def library(libssl: Path) -> Library:
    found = inspect(libssl)
    assert found is not None
    return Library(
        str(libssl),
        found.id,
        (
            Finding("OpenSSL", "symbols", (Hook("SSL_read", 16), Hook("SSL_free", 20))),
            Finding("GnuTLS", "symbols", (Hook("SSL_write", 32), Hook("SSL_free", 36))),
        ),
    )


def test_a_library_that_the_kernel_refuses_whole_is_an_error_that_names_it_the_reason_and_a_way_out(libssl: Path) -> None:
    said: list[str] = []
    made, _ = attacher({16, 32}, said)
    with pytest.raises(CaptureError) as error:
        made.attach(library(libssl), "/proc/self/fd/9")
    text = str(error.value)
    assert text.count(f"{libssl}: ") == 2
    for words in ("OpenSSL is NOT read", "GnuTLS is NOT read", "Invalid argument, errno 22", "another tool", "end it"):
        assert words in text
    assert "/proc/self/fd" not in text
    assert said == []


def test_what_is_refused_of_a_library_does_not_cost_the_rest_of_it(libssl: Path) -> None:
    said: list[str] = []
    made, _ = attacher({16}, said)
    assert [finding.stack for finding in made.attach(library(libssl), "")] == ["GnuTLS"]
    assert len(said) == 1
    assert said[0].startswith(f"{libssl}: OpenSSL is NOT read: the kernel refused a probe")


def test_each_refusal_is_counted_once(libssl: Path) -> None:
    made, _ = attacher({16}, [])
    made.attach(library(libssl), "")
    (loss,) = made.take_losses()
    assert (loss.stage, loss.reason, loss.count) == ("tls", Reason.UNREADABLE, 1)
    assert str(libssl) in loss.note
    assert made.take_losses() == []
