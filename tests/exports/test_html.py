"""The page of a session: a strict reading of its HTML finds what was said, and nothing that runs or is loaded."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from agentsight_rx.exports import Heading, html
from agentsight_rx.prices import Prices
from agentsight_rx.view.queries.reading import newest_session
from tests.cli.report.story import Story, recorded, small_story, text, tool
from tests.cli.report.story import result as output

from .stores import opened

VOID = frozenset({"meta"})
ALLOWED = VOID | frozenset(
    (
        *(
            "html",
            "head",
            "title",
            "style",
            "body",
            "header",
            "main",
            "section",
            "h1",
            "h2",
            "h3",
            "p",
            "dl",
            "div",
            "dt",
            "dd",
        ),
        *("pre", "code", "ul", "li", "span", "details", "summary"),
    )
)


class Reader(HTMLParser):
    """Elements that are closed in order, and the text in them; anything else is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.attributes: set[str] = set()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs if tag not in VOID}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def page(path: Path, story: Story, heading: Heading | None = None) -> Reader:
    with opened(recorded(path / "x.lmdb", story)) as store:
        session = newest_session(store)
        assert session is not None
        content = b"".join(html(store, session, Prices(), heading=heading or Heading(session.title, verdict="It did.")))
    reader = Reader()
    reader.feed(content.decode())
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> str:
    heading = Heading("Fix it", "claude 12345", verdict="Edited 1 file.", numbers=(("calls", "4"),), missing=("1 is missing",))
    return "".join(page(tmp_path_factory.mktemp("store"), small_story(), heading).text)


def test_the_heading_is_what_it_was_given(read: str) -> None:
    assert [part in read for part in ("Fix it", "claude 12345", "Edited 1 file.", "calls4", "1 is missing")] == [True] * 5


def test_each_turn_has_what_was_said_and_done(read: str) -> None:
    assert read.count("turn ") >= 4
    for part in (
        "Invoice totals are off by one cent for orders with discounts",
        "I will run the test.",
        '"command": "pytest tests/test_invoice.py -q"',
        "exit 1",
        "12401 sh -c pytest tests/test_invoice.py -q",
        "result of Bash (failed)",
        "assert 99.99 == 100.00",
        "written /home/ada/code/parcel/src/billing/invoice.py",
        "Done: the rounding is in one place.",
    ):
        assert part in read


HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;\x1b[31m\u202egnp.exe\x00"


def test_text_that_is_html_is_text(tmp_path: Path) -> None:
    story = Story()
    story.asks(text(HOSTILE), answer=[text(HOSTILE), tool("t1", HOSTILE, x=HOSTILE)])
    story.asks(output("t1", HOSTILE), answer=[text("end")])
    reader = page(tmp_path, story, Heading(HOSTILE, HOSTILE, verdict=HOSTILE, numbers=((HOSTILE, HOSTILE),)))
    whole = "".join(reader.text)
    assert reader.attributes <= {"lang", "id", "class", "open"}
    assert whole.count("<script>alert(1)</script>") >= 6
    assert [char for char in whole if char in "\x1b\x00\u202e"] == []


def test_nothing_is_loaded(tmp_path: Path) -> None:
    with opened(recorded(tmp_path / "x.lmdb", small_story())) as store:
        session = newest_session(store)
        assert session is not None
        head = next(html(store, session, Prices(), heading=Heading("x"))).decode()
    assert "default-src 'none'; style-src 'unsafe-inline'" in head
    assert [part for part in ("http://", "https://", "url(", "@import", "src=", "href=") if part in head] == []


def test_a_very_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    story = Story()
    story.asks(text("go"), answer=[text("ẞ" * 100_001)])
    whole = "".join(page(tmp_path, story).text)
    assert (whole.count("ẞ"), "1 more characters" in whole) == (100_000, True)


def test_a_call_that_failed_or_was_cut_says_so(tmp_path: Path) -> None:
    story = Story()
    story.asks(text("go"), status=529)
    story.asks(text("again"), answer=[text("half")], complete=False)
    whole = "".join(page(tmp_path, story).text)
    assert ("this call failed" in whole, "not whole: partial, gap" in whole) == (True, True)
