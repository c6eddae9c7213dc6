"""Which function of rustls with ring carries plaintext, and where, by the records that it gave."""

from __future__ import annotations

from importlib import import_module
from struct import pack
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Loss, TlsChunk
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources.kernel.machine import MACHINES, Machine
from agentsight_rx.sources.tls.calibration import Calibration, Layout, Sample, Trial, layout_of, type_of
from agentsight_rx.sources.tls.libraries import Library, Probed
from agentsight_rx.sources.tls.records import Records, needs_layout, needs_sockets, sites
from agentsight_rx.sources.tls.stacks.finding import Finding, Hook

FINISHED = b"\x14\0\0\x20" + bytes(32)
EXTENSIONS = b"\x08\0\0\x21\0\x1f\0\x0a\0\x12" + bytes(27)
CERTIFICATE = b"\x0b\0\x02\x3f\0\0\x02\x3b" + bytes(571)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\x2a\x04\0\0\0\0\0" + bytes(42)
REQUEST, ANSWER = b"GET /simple/ HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"
OTHERS = [
    b"",
    b"\x01\0",
    b"\x04\0\0\xe5" + bytes(229),
    b"\x08" + bytes(7),
    b"\x14\0\0\x20" + bytes(8),
    b"\0\0\x05\0\1\0\0\0\1hello",
]
OFFSET, WORD = 0x7A4F50, 1
PLACE = OFFSET << 24 | 2 << 16 | WORD << 8 | 1


def sample(plaintext: bytes, struct: bytes, place: int = PLACE) -> Sample:
    return Sample(place, struct, plaintext[:32].ljust(32, b"\0"), len(plaintext))


def struct(type_at: int, value: int, rest: bytes = bytes(64)) -> bytes:
    return rest[:type_at] + bytes([value]) + rest[type_at + 1 :]


@pytest.mark.parametrize(
    "plaintext", [PREFACE, SETTINGS, REQUEST, ANSWER, b"POST https://a HTTP/1.1\r\n", b"OPTIONS * HTTP/1.1"]
)
def test_the_begin_of_http_is_application_data(plaintext: bytes) -> None:
    assert type_of(sample(plaintext, bytes(64))) == 23


@pytest.mark.parametrize("plaintext", [FINISHED, EXTENSIONS, CERTIFICATE, b"\x14\0\0\x30" + bytes(48)])
def test_messages_of_a_handshake_are_known_by_their_lengths(plaintext: bytes) -> None:
    assert type_of(sample(plaintext, bytes(64))) == 22


@pytest.mark.parametrize("plaintext", OTHERS)
def test_other_bytes_say_nothing(plaintext: bytes) -> None:
    assert type_of(sample(plaintext, bytes(64))) == 0


free_bytes = st.integers(0, 63).filter(lambda at: not WORD * 8 <= at < WORD * 8 + 16)


@given(
    type_at=free_bytes,
    value=st.sampled_from([3, 23]),
    records=st.lists(st.tuples(st.sampled_from([FINISHED, EXTENSIONS, PREFACE, REQUEST]), st.binary(min_size=64, max_size=64))),
)
def test_in_random_memory_the_type_is_found_or_not_yet_known(
    type_at: int, value: int, records: list[tuple[bytes, bytes]]
) -> None:
    """It is never taken for another byte that stays the same by chance, once memory has shown that it changes."""
    types = {FINISHED: value - 1, EXTENSIONS: value - 1, PREFACE: value, REQUEST: value}
    records += [(data, bytes([number * 40 % 256]) * 64) for number, data in enumerate([FINISHED, REQUEST, EXTENSIONS, PREFACE])]
    samples = [sample(data, struct(type_at, types[data], memory)) for data, memory in records]
    found = layout_of(samples)
    assert found is not None
    assert (found.type_at, found.type) == (type_at, value)
    for size in range(len(samples)):
        before = layout_of(samples[:size])
        kinds = {type_of(each) for each in samples[:size]}
        assert before is None or kinds >= {22, 23}


@given(st.lists(st.tuples(st.sampled_from([FINISHED, *OTHERS]), st.binary(min_size=64, max_size=64)), max_size=20))
def test_without_http_nothing_is_learnt(records: list[tuple[bytes, bytes]]) -> None:
    assert layout_of([sample(data, memory) for data, memory in records]) is None


def test_of_two_bytes_that_may_be_the_type_a_later_record_shows_the_right_one() -> None:
    two = struct(40, 3, struct(50, 3)), struct(40, 2, struct(50, 2))
    first = [sample(PREFACE, two[0]), sample(FINISHED, two[1])]
    assert layout_of(first) is None
    assert layout_of([*first, sample(REQUEST, struct(40, 3))]) == Layout(40, 3, 0)


def test_the_first_byte_of_results_counts_only_where_it_stays_the_same() -> None:
    begins = [sample(PREFACE, b"\x16" + struct(40, 3)[1:]), sample(FINISHED, b"\x16" + struct(40, 2)[1:])]
    assert layout_of(begins) == Layout(40, 3, 0x16)
    assert layout_of([*begins, sample(PREFACE, b"\x17" + struct(40, 3)[1:])]) == Layout(40, 3, -1)


def test_a_place_that_never_shows_http_is_left_for_another_one() -> None:
    trial = Trial()
    asked = [trial.take(sample(FINISHED, bytes(64), place=1 << 24)) for _ in range(64)]
    assert asked == [False] * 63 + [True]
    assert (trial.place, trial.banned, trial.done) == (0, [1 << 24], False)
    assert not trial.take(sample(REQUEST, struct(40, 3), place=1 << 24))  # in flight
    assert not trial.take(sample(REQUEST, struct(40, 3)))
    assert trial.take(sample(FINISHED, struct(40, 2)))
    assert trial.hook(1) == Hook("ring_encrypt", OFFSET, layout=(PLACE & 0xFFFFFF, 40, 3, 0))


def test_a_place_with_http_and_without_a_type_is_kept() -> None:
    trial = Trial()
    for _ in range(64):
        trial.take(sample(REQUEST, bytes(64)))
    assert (trial.done, trial.layout, trial.hook(1), trial.state) == (True, None, None, 2)


class Table(dict[int, Any]):
    """The map of the kernel's side."""

    def Leaf(self, **fields: int) -> SimpleNamespace:
        return SimpleNamespace(banned=[0] * 4, **fields)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key.value, value)


def test_both_directions_make_the_functions() -> None:
    table, finding = Table(), Finding("rustls with ring", "positions", candidates=(1, 2))
    calibration = Calibration(table)
    calibration.begin(5, finding)
    assert (table[10].place, table[11].place) == (0, 0)
    assert not calibration.trusts(5, 1)
    assert calibration.trusts(4, 1)  # it is not on trial
    assert calibration.take(5, 1, sample(FINISHED, struct(40, 2))) is None
    assert not calibration.trusts(5, 1)
    assert calibration.take(5, 1, sample(PREFACE, struct(40, 3))) is None
    assert calibration.trusts(5, 1)
    assert (table[11].place, table[11].state, table[11].type_at, table[11].type) == (PLACE, 1, 40, 3)
    place = 0x7A4B30 << 24 | 1 << 8
    assert calibration.take(5, 0, sample(EXTENSIONS, struct(24, 2), place)) is None
    hooks = calibration.take(5, 0, sample(SETTINGS, struct(24, 3), place))
    assert hooks == (
        Hook("ring_decrypt", 0x7A4B30, layout=(1 << 8, 24, 3, 0)),
        Hook("ring_encrypt", OFFSET, layout=(PLACE & 0xFFFFFF, 40, 3, 0)),
    )
    assert hooks is not None
    again = Calibration(Table())
    again.begin(7, Finding("rustls with ring", "positions", hooks=hooks))
    assert again.trusts(7, 0)
    assert again.trusts(7, 1)


def test_a_known_layout_is_there_from_the_beginning() -> None:
    table = Table()
    hooks = Hook("ring_decrypt", 16, layout=(1 << 8, 24, 3, 22)), Hook("ring_encrypt", 32, layout=(PLACE & 0xFFFFFF, 40, 3, -1))
    Calibration(table).begin(0, Finding("rustls with ring", "positions", hooks=hooks))
    seen = [(table[at].place >> 24, table[at].state, table[at].type_at, table[at].type, table[at].tag) for at in (0, 1)]
    assert seen == [(16, 1, 24, 3, 23), (32, 1, 40, 3, 0)]


@pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))
def test_each_candidate_is_probed_at_both_ends_and_a_known_function_where_its_data_are_known(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a function does not return the address of its result, the place is noted at its begin."""
    monkeypatch.setattr(import_module("agentsight_rx.sources.tls.records"), "MACHINE", machine)
    candidate, encrypt, decrypt = (list(sites(Hook(f"ring_{name}", 64), 3)) for name in ("candidate", "encrypt", "decrypt"))
    assert [(site.program, site.at_return) for site in candidate] == [("on_ring_begins", False), ("on_ring_ends", True)]
    assert [site.program for site in encrypt] == ["on_ring_begins"]
    begins = [] if machine.returns_place else ["on_ring_begins"]
    assert [site.program for site in decrypt] == [*begins, "on_ring_ends"]
    assert {site.cookie >> 8 for site in (*candidate, *encrypt, *decrypt)} == {64 << 16 | 3}
    waiting = Finding("rustls with ring", "positions", candidates=(64,))
    assert needs_sockets(waiting)
    assert needs_layout(waiting)
    assert needs_layout(Finding("rustls with ring", "positions", hooks=(Hook("ring_encrypt", 64),)))
    assert not needs_layout(Finding("aws-lc", "reasons", hooks=(Hook("seal", 64),)))


def record(kind: int, direction: int, data: bytes, *, ssl: int = 0, offset: int = 0) -> memoryview:
    """A record of bpf/tls.c of the library 0."""
    head = pack("<QQIIII16s", 1, 5, kind, 70, 70, 0, b"agent")
    return memoryview(head + pack("<QQQQQIIII", ssl, offset, 0, 0, 0, len(data), 0, direction, 0) + data)


def test_what_a_function_gives_before_it_shows_http_is_a_loss() -> None:
    records = Records(handshakes=False)
    finding = Finding("rustls with ring", "positions", candidates=(OFFSET,))
    records.add(Probed(Library("/opt/agent", (1, 2, 3), (finding,)), finding, by_socket=True))
    records.calibration = Calibration(Table())
    records.calibration.begin(0, finding)
    place = 1 << 24 | 1 << 8
    lost = records.decode(record(1, 0, b"something", ssl=9), 0, 0)
    assert isinstance(lost, Loss)
    assert (lost.reason, lost.size) == (Reason.UNREADABLE, 9)
    for kind, data in ((2, EXTENSIONS), (3, SETTINGS)):
        raw = struct(40, kind) + data[:32]
        assert records.decode(record(11, 0, raw, ssl=place, offset=len(data)), 0, 0) is None
    assert records.learnt == []  # the other direction has shown nothing
    seen = records.decode(record(1, 0, SETTINGS, ssl=9), 0, 0)
    assert isinstance(seen, list)
    assert [event.data for event in seen if isinstance(event, TlsChunk)] == [SETTINGS]
    for kind, data in ((2, FINISHED), (3, PREFACE)):
        records.decode(record(11, 1, struct(40, kind) + data[:32].ljust(32), ssl=PLACE, offset=len(data)), 0, 0)
    assert [(number, [hook.offset for hook in hooks]) for number, hooks in records.learnt] == [(0, [1, OFFSET])]
