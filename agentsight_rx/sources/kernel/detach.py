"""Descriptors of attached programs -> closed by a child that ends behind us, since the kernel takes its time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock, Thread

__all__ = ["leave"]

# Between its fork and its start a child has copies of all our descriptors. If another thread gave its own away and its child
# ended meanwhile, these copies would be the last, and our child would take that time, with us waiting for its start.
_ONE_AT_A_TIME = Lock()


def leave(descriptors: Sequence[int]) -> None:
    """
    Close them. The kernel takes about 90 ms for each perf event and each link of probes, one after the other, also when a
    process ends. A child that holds them too, and ends at once, spends that time instead of us.
    """
    if not descriptors:
        return
    child = None
    with _ONE_AT_A_TIME:
        with suppress(OSError):  # without a child it takes longer
            nowhere = subprocess.DEVNULL
            child = subprocess.Popen(["/bin/cat"], pass_fds=descriptors, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)
        for fd in descriptors:
            os.close(fd)
        if child is not None:
            assert child.stdin is not None
            child.stdin.close()  # its end of input
    if child is not None:
        Thread(target=child.wait, name="detach", daemon=True).start()
