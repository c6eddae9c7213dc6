"""What probes cost to put in and to take out: ms for 50 functions of one file, at their returns (root)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from agentsight_rx.sources import Target
from agentsight_rx.sources.kernel.features import has_uprobe_multi
from agentsight_rx.sources.kernel.probes import Probes, Site
from agentsight_rx.sources.kernel.program import Program
from agentsight_rx.sources.tls.libraries import system_libraries

__all__ = ["main"]

_FUNCTIONS = 50
_ROUNDS = 7
_ATTACH_MOST_MS, _DETACH_MOST_MS = 50, 100
_NOTHING = 0  # a shape that is none: the program returns at once


def main() -> int:
    library = next(iter(system_libraries()))
    sites = [Site("on_leave", offset, _NOTHING, at_return=True) for offset in islice(_functions(library), _FUNCTIONS)]
    # A small program that watches a process which uses none of the functions
    program: Program[int] = Program("readline", Target(1), ring_size=1 << 16, decode=lambda view, at, size: None)
    try:
        probes = Probes(program.bpf, multi=has_uprobe_multi())
        times = [_once(probes, str(library), sites) for _ in range(_ROUNDS)]
    finally:
        program.close()
    attach, detach = (min(each) * 1e3 for each in zip(*times, strict=True))
    print(f"{len(sites)} functions of {library.name}: attach {attach:.1f} ms (at most {_ATTACH_MOST_MS}), ", end="")
    print(f"detach {detach:.1f} ms (at most {_DETACH_MOST_MS})")
    return int(attach > _ATTACH_MOST_MS or detach > _DETACH_MOST_MS)


def _once(probes: Probes, path: str, sites: list[Site]) -> tuple[float, float]:
    begun = time.perf_counter()
    attached = probes.attach(path, sites)
    done = time.perf_counter()
    attached.close()
    return done - begun, time.perf_counter() - done


def _functions(library: Path) -> Iterator[int]:
    """File offsets of functions."""
    with library.open("rb") as file:
        elf = ELFFile(file)
        loads = [(each["p_vaddr"], each["p_filesz"], each["p_offset"]) for each in elf.iter_segments("PT_LOAD")]
        table = elf.get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection)
        for symbol in table.iter_symbols():
            address = int(symbol["st_value"])
            if symbol["st_info"]["type"] == "STT_FUNC" and address:
                yield from (address - start + at for start, size, at in loads if start <= address < start + size)


if __name__ == "__main__":
    sys.exit(main())
