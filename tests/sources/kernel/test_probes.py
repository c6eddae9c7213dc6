"""Probes that are attached together or one by one, and taken out."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from agentsight_rx.sources.kernel import probes
from agentsight_rx.sources.kernel.probes import Attached, Probes, Site

SITES = [Site(program, offset, cookie=offset) for offset in range(5) for program in ("begins", "ends")]


class Programs:
    """What Probes needs of a BPF object."""

    def load(self, name: str, kind: int, *, attach_type: int) -> int:
        return 0


@pytest.mark.parametrize("together", [1, 2, 3, 8])
@pytest.mark.parametrize("kept", range(len(SITES)))
@pytest.mark.parametrize("multi", [True, False], ids=["multi", "one by one"])
def test_a_kept_site_keeps_its_link_however_they_are_attached(
    monkeypatch: pytest.MonkeyPatch, multi: bool, kept: int, together: int
) -> None:
    links: dict[int, set[int]] = {}  # the cookies of each

    def attach(program: int, path: str, sites: Sequence[tuple[int, int]], *, flags: int = 0) -> int:
        fd = os.open(os.devnull, os.O_RDONLY)
        links[fd] = {cookie for _, cookie in sites}
        return fd

    def attach_one(program: int, path: str, offset: int, *, cookie: int, at_return: bool) -> int:
        return attach(program, path, [(offset, cookie)])

    monkeypatch.setattr(probes, "at_uprobes", attach)
    monkeypatch.setattr(probes, "at_uprobe", attach_one)
    attached = Probes(Programs(), multi=multi).attach("file", SITES, together=together)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert sum(map(len, links.values())) == len(SITES)
    attached.keep([SITES[kept]])
    (left,) = attached.links
    assert SITES[kept].cookie in links[left]
    assert len(links[left]) <= (together if multi else 1)
    attached.close()


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
