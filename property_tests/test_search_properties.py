"""Any change of the bytes of a program gives findings within the file, or CaptureError, and nothing else."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.errors import CaptureError
from agentsight_rx.sources.tls.records import SHAPES
from agentsight_rx.sources.tls.stacks.search import find_stacks
from tests.sources.tls.stacks import Maker
from tests.sources.tls.stacks.test_exported_placement import with_openssl
from tests.sources.tls.stacks.test_go import go
from tests.sources.tls.stacks.test_search_awslc import aws_lc
from tests.sources.tls.stacks.test_search_boringssl import boringssl
from tests.sources.tls.stacks.test_search_openssl import USES_R8, openssl

checked = settings(max_examples=300, deadline=None)

NUMBERS = st.sampled_from([0, 1, 0xFF, 0xFFFF, 1 << 20, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 64) - 1])


@cache
def programs() -> tuple[bytes, ...]:
    """One of each kind, with and without unwind tables, and two at once."""
    table = Maker(base=0x400000)
    go(table)
    both = boringssl(Maker())
    openssl(both, body=USES_R8)
    with_symbols = Maker(frames=True)
    with_symbols.function("SSL_read")
    with_symbols.function("SSL_write")
    with_symbols.made()
    texts = b"\0SSL_read\0SSL_write\0"
    symbols = bytes(24) + b"".join(
        pack("<IBBHQQ", texts.index(name.encode()), 0x12, 0, 1, with_symbols.places[name], 3) for name in with_symbols.places
    )
    at = with_symbols.constant(symbols + texts)
    with_symbols.dynamic = {5: at + len(symbols), 6: at, 10: len(texts)}
    made = (
        boringssl(Maker(frames=True)),
        boringssl(Maker(align=1)),
        aws_lc(Maker()),
        openssl(Maker(frames=True), body=USES_R8),
        table,
        both,
        with_symbols,
        with_openssl(Maker()),
    )
    return tuple(maker.made() for maker in made)


@st.composite
def places(draw: st.DrawFn, content: bytes) -> int:
    """A byte that is used: most of such a small program is padding."""
    used = [at for at in range(0, len(content), 8) if any(content[at : at + 8])]
    return draw(st.sampled_from(used)) + draw(st.integers(min_value=0, max_value=7))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(programs())))
    for _ in range(draw(st.integers(min_value=1, max_value=6))):
        at = draw(places(bytes(content)))
        new = draw(st.one_of(st.binary(min_size=1, max_size=8), NUMBERS.map(lambda number: pack("<Q", number))))
        content[at : at + len(new)] = new
    return bytes(content[: draw(st.one_of(st.just(len(content)), st.integers(min_value=0, max_value=len(content))))])


@pytest.mark.slow
@given(mutated())
@checked
def test_a_changed_program_is_searched_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(content)
        with path.open("rb") as file:
            try:
                found = find_stacks(file, "program")
            except CaptureError:
                return
    for finding in found:
        assert bool(finding.hooks) != bool(finding.failure)
        for hook in (*finding.hooks, *finding.placed("cheap")):
            assert hook.shape in SHAPES
            assert all(0 <= at < len(content) for at in (hook.offset, *hook.returns, *finding.candidates))
