"""Every BPF function of every source, offered to this kernel -> the functions that it refuses, with its reasons."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import agentsight_rx.sources.kernel.cache as preparing
import agentsight_rx.sources.kernel.program as loading
from agentsight_rx import sources
from agentsight_rx.core.engine import Engine
from agentsight_rx.errors import CaptureError
from agentsight_rx.sources import Target
from agentsight_rx.sources.kernel.features import has_may_goto
from agentsight_rx.sources.kernel.loaded import Image
from agentsight_rx.sources.kernel.namespace import own_namespace
from agentsight_rx.sources.kernel.syscall import TRACE_UPROBE_MULTI
from agentsight_rx.sources.kernel.tracker import source_of
from tests.live.functions import refusals
from tests.live.kernel_sources import KERNEL_SOURCES

__all__ = ["refused_functions"]

_BPF = Path(sources.__file__).parent / "bpf"


class _Compiled(Exception):
    """A source is about to load this Image: that is all that is wanted of it."""

    def __init__(self, image: Image) -> None:
        super().__init__()
        self.image = image


def refused_functions(*, multi: bool, turns: bool) -> tuple[int, list[str]]:
    """
    How many functions there are, and a sentence for each that is refused. `multi`: those for uprobe_multi, else those for
    probes one by one. `turns`: loops are verified turn by turn, as on kernels without may_goto.
    """
    count, refused = 0, list[str]()
    for name in ("tracker", *KERNEL_SOURCES):
        try:
            image = _image(name, Target(os.getpid()), multi=multi, turns=turns)
        except CaptureError as error:
            refused.append(str(error))
            continue
        count += len(image.functions)
        refused += _refused(name, image, attach_type=TRACE_UPROBE_MULTI if multi else 0)
    return count, refused


def _image(name: str, target: Target, *, multi: bool, turns: bool) -> Image:
    def stop(image: Image, *words: object, **options: object) -> None:
        raise _Compiled(image)

    asked = (lambda: False) if turns else has_may_goto
    with patch.object(loading, "Loaded", stop), patch.object(preparing, "has_may_goto", asked):
        if name == "tracker":
            return preparing.prepared(source_of(target, own_namespace(), by_file=False))[0]
        engine = Engine()
        KERNEL_SOURCES[name](target, multi).subscribe(scheduler=engine)
        (hub,) = engine.hubs
        reader: Any = hub.reader
        try:
            reader.open()
        except _Compiled as compiled:
            return compiled.image
    raise AssertionError("the source loaded nothing")


def _refused(source: str, image: Image, *, attach_type: int) -> Iterable[str]:
    text = "".join(file.read_text() for file in _BPF.glob(f"{source}*.c"))
    reasons = refusals(image, text, attach_type=attach_type)
    return [f"{name} of {source}: {why[:200]}" for name, why in reasons.items() if why]
