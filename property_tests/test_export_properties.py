"""Exports: whatever is captured, text stays text and slices of a lane do not overlap."""

from __future__ import annotations

from html.parser import HTMLParser

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from perfetto.protos.perfetto.trace import perfetto_trace_pb2

from agentsight_rx.runtime.web.app import Bundle, single_file
from agentsight_rx.view.exports.perfetto_packets import Lanes, instant, slice_of
from agentsight_rx.view.page import Embedded

NUMBERS = st.integers(0, (1 << 63) - 1)
PIECES = [
    "<",
    ">",
    "&",
    "'",
    '"',
    "</pre>",
    "</script>",
    "<script>",
    "<!--",
    "&#60;",
    "\x00",
    "\r\n",
    "\n",
    "a",
    "\u202e",
    "\u2028",
]
MARKUP = st.lists(st.sampled_from(PIECES))
HEAD = ["html", "head", "meta", "meta", "meta", "meta", "title", "link", "style"]


class Elements(HTMLParser):
    """The elements, and the text of each script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.scripts += [""] if tag == "script" else []

    def handle_data(self, data: str) -> None:
        if self.scripts and self.names[-1] == "script":
            self.scripts[-1] += data


@given(st.text() | MARKUP.map("".join))
def test_text_is_text_in_a_page_that_has_it(text: str) -> None:
    embedded = Embedded({text: Raw(msgspec.json.encode(text))}, [Raw(msgspec.json.encode([text]))], (text,))
    read = Elements(single_file(Bundle("", "", "a {}", rest="", whole="let page = 1"), embedded).decode())
    assert [
        "html",
        "head",
        "meta",
        "meta",
        "meta",
        "meta",
        "title",
        "link",
        "style",
        "body",
        "div",
        "script",
        "script",
    ] == read.names
    data, script = read.scripts
    assert {"answers": {text: text}, "said": [[text]], "left_out": [text]} == msgspec.json.decode(data)
    assert script.strip() == "let page = 1"


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 20)), max_size=60))
def test_two_of_a_lane_do_not_overlap(spans: list[tuple[int, int]]) -> None:
    lanes = Lanes()
    ends: dict[int, int] = {}
    for start, length in sorted(spans):
        lane = lanes.lane("a", start, start + length)
        assert ends.get(lane, 0) <= start
        ends[lane] = start + length


@given(NUMBERS, NUMBERS, st.text(), st.dictionaries(st.text(min_size=1), st.text(min_size=1) | NUMBERS | st.booleans()))
def test_perfetto_reads_what_was_written(own: int, time_ns: int, name: str, about: dict[str, str | int | bool]) -> None:
    trace = perfetto_trace_pb2.Trace()
    trace.ParseFromString(instant(own, time_ns, name=name, category="x", about=about))
    (packet,) = trace.packet
    assert (packet.timestamp, packet.track_event.track_uuid) == (time_ns, own)
    notes = packet.track_event.debug_annotations
    assert {each.name: each.string_value or each.int_value for each in notes} == about


@given(st.lists(NUMBERS, max_size=5))
def test_flows_come_back(flows: list[int]) -> None:
    trace = perfetto_trace_pb2.Trace()
    trace.ParseFromString(b"".join(slice_of(1, 2, 3, name="a", category="b", about={}, flows_out=tuple(flows), flows_in=(7,))))
    begin, end = trace.packet
    assert (list(begin.track_event.flow_ids), list(begin.track_event.terminating_flow_ids)) == (flows, [7])
    assert (begin.timestamp, end.timestamp) == (2, 3)
