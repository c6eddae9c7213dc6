"""Descriptors of what is attached in the kernel -> closed by a child that ends behind us, since the kernel takes its time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

__all__ = ["leave"]


def leave(descriptors: Sequence[int]) -> None:
    """
    Close them. The kernel takes about 90 ms for each perf event and each link of probes, one after the other, also when a
    process ends. A child that holds them too, and ends at once, spends that time instead of us.
    """
    if not descriptors:
        return
    child = None
    with suppress(OSError):  # without a child it takes longer
        nowhere = subprocess.DEVNULL
        child = subprocess.Popen(["/bin/cat"], pass_fds=descriptors, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)
    for fd in descriptors:
        os.close(fd)
    if child is not None:
        assert child.stdin is not None
        child.stdin.close()  # its end of input
        Thread(target=child.wait, name="detach", daemon=True).start()
