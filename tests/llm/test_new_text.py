from __future__ import annotations

from agentsight_rx.events import AnswerPiece
from agentsight_rx.llm import Reported, news
from agentsight_rx.llm.reader import Draft


def test_what_was_reported_is_not_reported_again() -> None:
    draft, reported = Draft(), Reported()
    draft.block((0, 0, 0), "reasoning").parts += ["h", "m"]
    assert news(draft, reported) == (AnswerPiece(0, "reasoning", "hm"),)
    assert news(draft, reported) == ()
    draft.block((1, 0, 0), "text").parts.append("yes")
    assert news(draft, reported) == (AnswerPiece(1, "text", "yes"),)


def test_pieces_that_all_of_the_text_replaced_are_reported_once() -> None:
    draft, reported = Draft(), Reported()
    parts = draft.block((0, 0, 0), "text").parts
    parts += ["He", "llo"]
    news(draft, reported)
    parts[:] = ["Hello, you"]
    assert news(draft, reported) == (AnswerPiece(0, "text", ", you"),)


def test_an_input_that_comes_whole_is_reported_and_an_empty_one_before_its_pieces_is_not() -> None:
    draft, reported = Draft(), Reported()
    whole, empty = draft.call(0), draft.call(1)
    whole.name, whole.whole, empty.name, empty.whole = "A", '{"a":1}', "B", "{}"
    assert news(draft, reported) == (AnswerPiece(0, "call", '{"a":1}', "A"), AnswerPiece(1, "call", "", "B"))
    empty.parts.append('{"b"')
    assert news(draft, reported) == (AnswerPiece(1, "call", '{"b"'),)


def test_media_and_results_are_not_reported_and_parts_are_limited() -> None:
    draft, reported = Draft(), Reported()
    for place, kind in enumerate(("media", "result", *["text"] * 300)):
        draft.block((place, 0, 0), kind).parts.append("x")
    assert len(news(draft, reported)) == 256
    assert news(draft, reported) == ()
