"""What compiles programs here: the machine's own compiler, and Debian 12's where scripts/llvm14.sh has fetched it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from agentsight_rx.sources.kernel import cache as preparing
from agentsight_rx.sources.kernel.compiler import Worker, compiled, compiler_identity

__all__ = ["COMPILERS", "SETUP", "compiled_by"]

SETUP = Path(__file__).parents[2] / ".setup"
_LLVM_14 = next(iter((SETUP / "llvm14").glob("usr/lib/*/libbcc.so.0")), None)
_BCC_OF_LLVM_14 = SETUP / "llvm14/usr/lib/python3/dist-packages"
COMPILERS = {"own": None} | ({"llvm14": _LLVM_14} if _LLVM_14 else {})


@contextmanager
def compiled_by(name: str, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Inside, programs are compiled by the compiler of that name."""
    library = COMPILERS[name]
    with closing(Worker(str(library.parent), str(_BCC_OF_LLVM_14)) if library else Worker()) as worker:
        identity = [str(library), str(library.stat().st_size)] if library else compiler_identity()
        monkeypatch.setattr(preparing, "compiled", partial(compiled, by=worker))
        monkeypatch.setattr(preparing, "compiler_identity", lambda: identity)
        yield
