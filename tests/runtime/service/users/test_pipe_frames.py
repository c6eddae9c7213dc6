"""Events through a pipe: the same, however its bytes are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Event
from agentsight_rx.runtime.service.users.pipe import END, Frames, frame
from agentsight_rx.testing import Scene


def events() -> list[Event]:
    scene = Scene()
    agent = scene.process("claude", "fix it")
    agent.asks("fix it")
    agent.is_answered("done", tools={"Bash": {"command": "make"}})
    agent.ends()
    scene.loses("tls", 2)
    return scene.events


@given(st.lists(st.integers(0, 3000), max_size=20), st.integers(1, 9))
def test_any_cut_of_the_bytes_gives_the_same_events(cuts: list[int], size: int) -> None:
    sent = events()
    data = b"".join(frame(sent[at : at + size]) for at in range(0, len(sent), size))
    places = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    frames = Frames()
    came = [event for begin, end in pairwise(places) for event in frames.feed(data[begin:end])]
    assert sent == came


def test_byte_by_byte_and_what_is_not_whole_waits() -> None:
    sent, frames = events(), Frames()
    data = frame(sent) + frame(sent)[:-1]
    assert sent == [event for byte in data for event in frames.feed(bytes([byte]))]
    assert sent == frames.feed(data[-1:] and frame(sent)[-1:])


def test_the_end_is_said_by_the_last_record() -> None:
    frames, data = Frames(), frame(events()) + END
    assert events() == [event for byte in data[:-1] for event in frames.feed(bytes([byte]))]
    assert not frames.ended
    assert [] == frames.feed(data[-1:])
    assert frames.ended
