"""How much the kernel's verifier looks at before a program may run: a command of `record` waits for it."""

from __future__ import annotations

import ctypes
import os
from struct import unpack_from
from typing import Any

import pytest

from agentsight_rx.core.engine import Engine
from agentsight_rx.sources import Target
from agentsight_rx.sources.kernel import program, tracker
from agentsight_rx.sources.kernel.features import has_may_goto
from agentsight_rx.sources.kernel.loaded import Loaded
from agentsight_rx.sources.kernel.namespace import FIRST_INODE, Namespace
from agentsight_rx.sources.kernel.syscall import KPROBE, TRACE_UPROBE_MULTI, bpf
from tests.live.compilers import COMPILERS, compiled_by
from tests.live.kernel_sources import KERNEL_SOURCES

pytestmark = pytest.mark.live

# Instructions. LLVM 14 needs 59,500 and, where numbers are translated, 134,200; newer ones 45,900 and 31,800. With loops looked
# at turn by turn it is more than 200,000.
_MOST = 140_000
_OF_RECORDS = ("on_ring_begins", "on_ring_ends", "on_aead_begins", "on_aead_ends")  # loaded with the first such file
_OBJ_GET_INFO_BY_FD, _INFO_SIZE, _VERIFIED_AT = 15, 224, 216  # struct bpf_prog_info: verified_insns


class _Asked(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_uint32), ("size", ctypes.c_uint32), ("info", ctypes.c_uint64))


def _looked_at(program: int) -> int:
    info = ctypes.create_string_buffer(_INFO_SIZE)
    bpf(_OBJ_GET_INFO_BY_FD, _Asked(program, _INFO_SIZE, ctypes.addressof(info)))
    found: int = unpack_from("<I", info, _VERIFIED_AT)[0]
    return found


def _loads(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The programs that are loaded from now on, and how much of each was looked at."""
    seen: dict[str, int] = {}
    load = Loaded.load

    def loading(self: Loaded, name: str, *words: Any, **options: Any) -> int:
        program = load(self, name, *words, **options)
        seen[name] = _looked_at(program)
        return program

    monkeypatch.setattr(Loaded, "load", loading)
    return seen


_NAMES = [name for name in KERNEL_SOURCES if name != "readline"]


def _looked_at_in(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The programs of a source, and how much of each was looked at."""
    seen = _loads(monkeypatch)
    engine = Engine()
    KERNEL_SOURCES[name](Target(os.getpid()), True).subscribe(scheduler=engine)
    (hub,) = engine.hubs
    reader: Any = hub.reader
    reader.open()
    try:
        for function in _OF_RECORDS if name == "tls" else ():
            reader._program.bpf.load(function, KPROBE, attach_type=TRACE_UPROBE_MULTI)
    finally:
        reader.close()
    return seen


# The first one as if it were one of the others: then the programs translate numbers
_NAMESPACES = {"first": Namespace(), "translated": Namespace(FIRST_INODE, 0)}


# A usual run has this machine's compiler, and the longest: with numbers translated, as the oldest compiler makes them
_USUAL = {("first", next(iter(COMPILERS))), ("translated", [*COMPILERS][-1])}
_CELLS = [
    pytest.param(name, here, compiler, marks=() if (here, compiler) in _USUAL else pytest.mark.thorough)
    for name in _NAMES
    for here in _NAMESPACES
    for compiler in COMPILERS
]


@pytest.mark.parametrize(("name", "here", "compiler"), _CELLS)
def test_no_program_is_looked_at_for_long(name: str, here: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_may_goto():
        pytest.skip("this kernel looks at each turn of a loop")
    for module in (program, tracker):
        monkeypatch.setattr(module, "own_namespace", lambda: _NAMESPACES[here])
    with compiled_by(compiler, monkeypatch):
        seen = _looked_at_in(name, monkeypatch)
    assert seen
    assert {} == {function: count for function, count in seen.items() if not 0 < count <= _MOST}
