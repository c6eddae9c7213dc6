from __future__ import annotations

import os

import pytest

from agentsight_rx.sources.tls.candidates import mapped_files, users_of


@pytest.mark.needs("root")  # /proc/PID/map_files
def test_this_process_maps_its_own_program() -> None:
    mapped = list(mapped_files((os.getpid(), os.getpid(), 1 << 30)))
    program = os.path.realpath("/proc/self/exe")
    (one,) = [each for each in mapped if each.path == program]
    assert one.name == program
    assert os.path.samefile(one.place, program)
    assert one.inode == os.stat(program).st_ino
    assert len({(each.device, each.inode) for each in mapped}) == len(mapped)
    assert os.getpid() in users_of([program])
    assert users_of([]) == set()
