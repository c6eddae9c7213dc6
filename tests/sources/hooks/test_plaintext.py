"""Calls of TLS functions -> records that the decoder of the kernel's records reads, every byte in its place."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Loss, TlsChunk, TlsClose, TlsEvent, TlsOpen
from agentsight_rx.sources.hooks.plaintext import Caller, Plaintext
from agentsight_rx.sources.hooks.ptrace import Registers
from agentsight_rx.sources.hooks.space import Space
from agentsight_rx.sources.tls.libraries import Library, Probed
from agentsight_rx.sources.tls.records import Records
from agentsight_rx.sources.tls.stacks.finding import Finding, Hook

WHO = Caller(7, 8, 1000, 5, b"agent")
BUFFER, SIZE_AT, STACK = 0x1000, 0x2000, 0x7000
FINDING = Finding("OpenSSL", "symbols", (Hook("SSL_read", 1), Hook("SSL_free", 2)), exact=True)


class Memory(Space):
    """What a thread has in memory."""

    bytes_at: dict[int, bytes] = {}  # noqa: RUF012 (msgspec copies it)

    def read(self, address: int, size: int) -> bytes:
        return self.bytes_at.get(address, b"")[:size]


class Traced:
    """A thread that calls functions, and the events of its records."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.plaintext = Plaintext(self.records.append)
        self.memory = Memory(7)
        self._decoder = Records(handshakes=False)
        self._decoder.add(Probed(Library("/lib/libssl.so", (1, 2, 3), findings=(FINDING,)), FINDING))

    def call(self, shape: str, data: bytes, *, object: int = 64, result: int | None = None) -> None:
        registers = Registers()
        registers.rsp, registers.rdi, registers.rsi, registers.rdx = STACK, object, BUFFER, len(data)
        registers.rcx = registers.r8 = SIZE_AT
        self.memory.bytes_at = {BUFFER: data, SIZE_AT: len(data).to_bytes(8, "little")}
        if self.plaintext.enters(WHO, self.memory, registers, shape, 0):
            registers.rsp += 8
            registers.rax = (1 if shape.endswith(("ex", "ex2")) else len(data)) if result is None else result & (1 << 64) - 1
            self.plaintext.returns(WHO, self.memory, registers)

    def events(self) -> list[TlsEvent]:
        found: list[TlsEvent] = []
        for record in self.records:
            decoded = self._decoder.decode(memoryview(record), 0, len(record))
            found += decoded if isinstance(decoded, list) else [decoded] if decoded is not None else []
        return found


def chunks(events: Sequence[TlsEvent], direction: str) -> list[TlsChunk]:
    return [each for each in events if isinstance(each, TlsChunk) and each.origin.direction == direction]


SHAPES = st.sampled_from(["SSL_read", "SSL_read_ex", "SSL_write", "SSL_write_ex", "SSL_write_ex2"])


@given(st.lists(st.tuples(SHAPES, st.binary(min_size=1, max_size=40_000)), max_size=12))
def test_every_byte_of_a_direction_comes_once_and_in_order(calls: list[tuple[str, bytes]]) -> None:
    traced = Traced()
    for shape, data in calls:
        traced.call(shape, data)
    events = traced.events()
    for direction, verb in (("in", "read"), ("out", "write")):
        whole = b"".join(data for shape, data in calls if verb in shape)
        found = chunks(events, direction)
        assert whole == b"".join(chunk.data for chunk in found)
        offsets = [sum(len(each.data) for each in found[:at]) for at in range(len(found))]
        assert [chunk.offset for chunk in found] == offsets
        assert [chunk.seq for chunk in found] == [*range(len(found))]


def test_a_call_that_failed_carries_nothing_but_the_object_is_known() -> None:
    traced = Traced()
    traced.call("SSL_read", b"none", result=-1)
    assert [type(event) for event in traced.events()] == [TlsOpen]


def test_a_freed_object_ends_its_connection_and_its_address_may_be_another() -> None:
    traced = Traced()
    traced.call("SSL_write", b"GET / HTTP/1.1\r\n")
    traced.call("SSL_free", b"")
    traced.call("SSL_write", b"GET /2 HTTP/1.1\r\n")
    events = traced.events()
    closes = [event for event in events if isinstance(event, TlsClose)]
    assert [(0, 16)] == [(each.in_offset, each.out_offset) for each in closes]
    assert [0, 0] == [chunk.offset for chunk in chunks(events, "out")]


def test_what_is_beyond_a_call_that_is_kept_is_counted() -> None:
    traced = Traced()
    data = b"x" * (16 << 20)
    registers = Registers()
    registers.rsp, registers.rdi, registers.rsi = STACK, 64, BUFFER
    traced.memory.bytes_at = {BUFFER: data}
    assert traced.plaintext.enters(WHO, traced.memory, registers, "SSL_write", 0)
    registers.rsp += 8
    registers.rax = len(data) + 5
    traced.plaintext.returns(WHO, traced.memory, registers)
    events = traced.events()
    assert [5] == [event.size for event in events if isinstance(event, Loss)]
    assert len(data) + 5 == sum(len(chunk.data) + chunk.lost for chunk in chunks(events, "out"))
