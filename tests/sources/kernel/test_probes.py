"""Probes that are taken out one by one."""

from __future__ import annotations

import os

import pytest

from agentsight_rx.sources.kernel.probes import Attached, Site


def test_all_but_the_kept_sites_are_closed() -> None:
    attached = Attached()
    sites = [Site("begins", offset, cookie=offset) for offset in range(8)]
    attached.sites = [sites[:2], sites[2:4], sites[4:6], sites[6:]]
    attached.links = [os.open(os.devnull, os.O_RDONLY) for _ in attached.sites]
    before = list(attached.links)
    attached.keep((sites[1], sites[6]))
    assert attached.links == [before[0], before[3]]
    for fd in (before[1], before[2]):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
    attached.close()
    assert attached.links == []
