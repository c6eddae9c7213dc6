"""The hand-over between threads: in order, bounded, and every event either got through or was counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.core import mailbox as capacity
from agentsight_rx.core import mailbox as mailboxes
from agentsight_rx.core.mailbox import Mailbox, Overflow, inbox
from agentsight_rx.core.weight import weight
from agentsight_rx.events import BodyPart, HttpRequest, Loss, Origin, Reply, SseMessage, TlsChunk, TlsClose
from agentsight_rx.events.loss import Reason

ORIGIN = Origin(1, 1)


def box(events: int, size: int = 1000) -> Mailbox[str]:
    """A mailbox of texts: what is in capitals is content and weighs its length, the rest is metadata."""
    return Mailbox(events=events, size=size, weigh=lambda text: len(text) if text.isupper() else 0)


def taken(mailbox: Mailbox[str]) -> list[str]:
    return [event for _ in range(len(mailbox)) if (item := mailbox.get(0)) for event in item[1]]


def test_batches_come_out_whole_in_order_and_with_their_sender() -> None:
    mailbox = box(10)
    mailbox.put(["a", "b"], sender="tls")
    mailbox.put(("c",), sender="process")
    assert mailbox.get(0) == ("tls", ["a", "b"])
    assert mailbox.get(0) == ("process", ("c",))
    assert mailbox.get(0) is None


def test_a_heavy_batch_comes_out_in_parts_of_a_bounded_size() -> None:
    mailbox: Mailbox[str] = Mailbox(weigh=len, part=5)
    assert mailbox.put(["aa", "bb", "cc", "dddddddd", "e"], sender="tls") == Overflow()
    assert len(mailbox) == 5
    taken: list[tuple[object, Sequence[str], int]] = []
    while (item := mailbox.get(0)) is not None:
        taken.append((*item, mailbox.taken))
    assert taken == [("tls", ["aa", "bb"], 4), ("tls", ["cc"], 2), ("tls", ["dddddddd"], 8), ("tls", ["e"], 1)]


def test_known_weights_are_taken_as_they_are() -> None:
    mailbox = box(100, size=10)
    assert mailbox.put(["A", "B", "c"], weights=[9, 2, 0]) == Overflow(1, 2)
    assert taken(mailbox) == ["A", "c"]


def test_an_empty_batch_is_no_batch() -> None:
    mailbox = box(10)
    assert mailbox.put([]) == Overflow()
    assert mailbox.get(0) is None


def test_a_batch_that_was_put_is_not_changed() -> None:
    batch = ["A", "B", "C"]
    box(2).put(batch)
    assert batch == ["A", "B", "C"]


def test_full_in_events_drops_the_newest_content_and_says_how_much() -> None:
    mailbox = box(3)
    assert mailbox.put(["AA", "BB"]) == Overflow()
    assert mailbox.put(["CC", "DDD", "EEEE"]) == Overflow(2, 7)
    assert taken(mailbox) == ["AA", "BB", "CC"]


def test_full_in_bytes_drops_the_newest_content_and_says_how_much() -> None:
    mailbox = box(100, size=10)
    assert mailbox.put(["AAAAAA", "BBBBB", "C"]) == Overflow(2, 6)
    assert mailbox.put(["DDDD"]) == Overflow()
    assert mailbox.put(["E"]) == Overflow(1, 1)


def test_content_is_dropped_before_metadata_of_the_same_batch() -> None:
    mailbox = box(4)
    assert mailbox.put(["A", "B", "C", "exit", "D", "loss"]) == Overflow(2, 2)
    assert taken(mailbox) == ["A", "B", "exit", "loss"]


def test_the_last_tenth_of_the_room_is_for_metadata() -> None:
    mailbox = box(20)
    dropped = [mailbox.put(["A"]).count for _ in range(20)]
    assert sum(dropped) == 2
    assert mailbox.put(["exit", "loss"]) == Overflow()
    assert mailbox.put(["exit"]) == Overflow(1, 0)
    assert len(mailbox) == 20


def test_metadata_still_fits_where_bytes_have_no_room() -> None:
    mailbox = box(10, size=4)
    mailbox.put(["AAAA"])
    assert mailbox.put(["B", "exit"]) == Overflow(1, 1)
    assert taken(mailbox) == ["AAAA", "exit"]


def test_room_comes_back_when_a_batch_is_taken() -> None:
    mailbox = box(3, size=3)
    mailbox.put(["A", "BB"])
    assert mailbox.fill == 1.0
    mailbox.get(0)
    assert mailbox.fill == 0.0
    assert mailbox.put(["CCC"]) == Overflow()


def test_a_closed_box_takes_nothing_and_counts_it_but_gives_what_it_has() -> None:
    mailbox = box(10)
    mailbox.put(["A"])
    mailbox.close()
    assert mailbox.closed
    assert mailbox.put(["BB", "exit"]) == Overflow(2, 2)
    assert mailbox.get() == (None, ["A"])
    assert mailbox.get() is None


def test_what_must_arrive_arrives_in_a_full_box() -> None:
    mailbox = box(1)
    mailbox.put(["A"])
    mailbox.put_anyway(["LAST"], sender="tls")
    assert mailbox.put(["exit"]) == Overflow(1, 0)
    assert mailbox.get(0) == (None, ["A"])
    assert mailbox.get(0) == ("tls", ["LAST"])
    assert mailbox.put(["B"]) == Overflow()


def test_abandoning_gives_all_that_is_left_and_makes_room() -> None:
    mailbox = box(3)
    mailbox.put(["A", "exit"])
    mailbox.put(["B"])
    assert mailbox.abandon() == ["A", "exit", "B"]
    assert (len(mailbox), mailbox.fill) == (0, 0.0)
    assert mailbox.get(0) is None


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (TlsChunk(ORIGIN, b"12345", 0, 0), 5),
        (HttpRequest(ORIGIN, 1, "POST", "/", "HTTP/1.1", (), b"123"), 3),
        (BodyPart(ORIGIN, 1, b"12", size=9), 2),
        (SseMessage(ORIGIN, 1, "anthropic", Reply(), (), 0, size=4000), 4000),
        (TlsClose(ORIGIN), 0),
        (Loss(ORIGIN, "tls", Reason.KERNEL_LOST, 1, 999), 0),
    ],
)
def test_an_event_weighs_the_content_that_it_carries(event: object, expected: int) -> None:
    assert weight(event) == expected


texts = st.text("Aa", min_size=1, max_size=4).map(lambda text: text.upper() if text[0] == "A" else text.lower())


@settings(deadline=None)
@given(st.lists(st.lists(texts, max_size=6), max_size=8), st.integers(1, 20), st.integers(1, 12))
def test_whatever_is_put_in_comes_out_or_is_counted_and_it_never_holds_more_than_it_may(
    batches: list[list[str]], events: int, size: int
) -> None:
    mailbox = box(events, size)
    for batch in batches:
        before = len(mailbox)
        dropped = mailbox.put(batch)
        assert len(mailbox) - before == len(batch) - dropped.count
        assert mailbox.fill <= 1.0
        assert len(mailbox) <= events
    out = taken(mailbox)
    assert sum(map(len, batches)) >= len(out)
    assert _is_part_of(out, [text for batch in batches for text in batch])


def _is_part_of(some: Sequence[str], whole: Sequence[str]) -> bool:
    """`some` in the order of `whole`, with parts left out."""
    rest = iter(whole)
    return all(text in rest for text in some)


def test_every_event_of_several_threads_comes_out_once_or_is_counted_by_who_put_it() -> None:
    mailbox: Mailbox[tuple[int, int]] = Mailbox(events=64, weigh=lambda event: event[1] % 3)
    batches, threads = 400, 4
    dropped = [0] * threads
    got: list[tuple[int, int]] = []

    def put(sender: int) -> None:
        for number in range(batches):
            batch = [(sender, number * 5 + place) for place in range(5)]
            dropped[sender] += mailbox.put(batch, sender=sender).count

    def take() -> None:
        while (item := mailbox.get()) is not None:
            got.extend(item[1])

    taker = threading.Thread(target=take)
    putters = [threading.Thread(target=put, args=(sender,)) for sender in range(threads)]
    for thread in [taker, *putters]:
        thread.start()
    for thread in putters:
        thread.join()
    mailbox.close()
    taker.join()
    assert len(got) + sum(dropped) == batches * threads * 5
    for sender in range(threads):
        numbers = [number for who, number in got if who == sender]
        assert numbers == sorted(set(numbers))
        assert len(numbers) + dropped[sender] == batches * 5


@pytest.mark.parametrize("wake", ["put", "put_anyway", "close"])
def test_who_waits_is_woken(wake: str) -> None:
    mailbox: Mailbox[str] = Mailbox()
    got: list[object] = []
    waiting = threading.Thread(target=lambda: got.append(mailbox.get()))
    waiting.start()
    if wake == "close":
        mailbox.close()
    else:
        getattr(mailbox, wake)(["a"])
    waiting.join()
    assert got == [None if wake == "close" else (None, ["a"])]


class Scripted(threading.Condition):
    """While somebody waits, `then` happens in its thread. `told` counts who would have been woken."""

    def __init__(self) -> None:
        super().__init__()
        self.then: Callable[[], object] = lambda: None
        self.told = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.then()
        return True

    def notify(self, n: int = 1) -> None:
        self.told += n

    def notify_all(self) -> None:
        self.told += 1


@pytest.mark.parametrize("then", ["little", "large", "many", "end", "close"])
def test_who_gathers_is_woken_only_for_much_and_for_an_end(then: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Scripted()
    monkeypatch.setattr(mailboxes, "Condition", lambda: waits)
    mailbox = box(1 << 20, 8 << 20)
    acts: dict[str, Callable[[], object]] = {
        "little": lambda: mailbox.put(["a"]),
        "large": lambda: mailbox.put(["A" * (1 << 20)]),
        "many": lambda: mailbox.put(["a"] * 4096),
        "end": lambda: mailbox.put_anyway(["a"]),
        "close": mailbox.close,
    }
    waits.then = acts[then]
    mailbox.gather(3600)
    assert bool(waits.told) == (then != "little")
    waits.told = 0
    mailbox.put(["b"])
    assert bool(waits.told) == (not mailbox.closed)


def test_where_there_is_much_already_nobody_gathers() -> None:
    mailbox = box(1 << 20)
    mailbox.put(["a"] * 4096)
    mailbox.gather(3600)
    closed = box(1 << 20)
    closed.close()
    closed.gather(3600)
    assert (len(mailbox), len(closed)) == (4096, 0)


@pytest.mark.parametrize(("free", "size"), [(0, 64 << 20), (10 << 30, 128 << 20), (1 << 40, 256 << 20)])
def test_an_inbox_is_as_large_as_the_free_memory_allows(free: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "available", lambda: free)
    chunk = TlsChunk(ORIGIN, bytes(1 << 20), 0, 0)
    assert inbox(part=1 << 20).put([chunk] * ((size >> 20) + 1)) == Overflow(1, 1 << 20)
    small = [TlsClose(ORIGIN)] * ((size >> 10) + 1)
    assert inbox(part=1 << 20).put(small) == Overflow(1, 0)
