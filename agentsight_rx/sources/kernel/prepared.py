"""Which C files, fields and flags -> the compiled Image, from the cache or from BCC."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct, structs

from ...core.errors import CaptureError
from .btf import defines
from .cache import Cache, default_directory, kernel_identity, key_of
from .compiler import compiled, compiler_identity
from .features import allocates_entries, has_may_goto, holds_cpu, preempts_programs
from .image import HOLD_CPU, RELEASE_CPU, Image
from .shim import HEADERS

__all__ = ["RUNS", "Source", "prepared"]

_MAY_GOTO, _HOLDS_CPU = "-DMAY_GOTO", "-DHOLDS_CPU"  # of bpf/track.h

# Where programs may be preempted: as many threads would have to be preempted on a CPU, each in another run of a program
RUNS = 5
_TEXTS = Path(__file__).parent.parent / "bpf"


class Source(Struct, frozen=True):
    """`files` of sources/bpf, in order; `fields` whose offsets in structs of the kernel they need; further `flags`."""

    files: tuple[str, ...]
    fields: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "".join((_TEXTS / name).read_text() for name in self.files)


def prepared(source: Source, cache: Cache | None = None) -> tuple[Image, Callable[[], Image | None] | None]:
    """
    The Image, and how to get another one where the kernel refuses it: only if it came from the cache, or has an instruction
    that older programs do without. Raises CaptureError where BCC cannot compile it, or this kernel lacks a field.
    """
    kept = cache or Cache(default_directory())
    if has_may_goto():
        try:
            image, _ = _prepared(structs.replace(source, flags=(*source.flags, _MAY_GOTO)), kept)
        except CaptureError:  # a compiler that does not take it
            return _prepared(source, kept)
        return image, lambda: _prepared(source, kept)[0]
    return _prepared(source, kept)


def _prepared(source: Source, kept: Cache) -> tuple[Image, Callable[[], Image | None] | None]:
    text = source.text
    headers = [part for header in HEADERS.items() for part in header]
    key = key_of([text, source.fields, source.flags, kernel_identity(), compiler_identity(), headers])

    def anew() -> Image:
        functions, runs = holds_cpu(), RUNS if preempts_programs() else 1
        switches = [*([_HOLDS_CPU] if functions else []), *([f"-DRUNS={runs}"] if runs > 1 else [])]
        image = compiled(text, [*defines(source.fields), *switches, *source.flags])
        if functions:
            image = image.calling(dict(zip((HOLD_CPU, RELEASE_CPU), functions, strict=True)))
        if allocates_entries():
            image = image.growing()
        image = structs.replace(image, runs=runs)
        kept.put(key, image)
        return image

    found = kept.get(key)
    return (anew(), None) if found is None else (found, anew)
