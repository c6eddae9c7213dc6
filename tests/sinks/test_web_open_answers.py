from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.events import AnswerPiece, AnswerProgress, Connection, Origin
from agentsight_rx.sinks.web import OpenAnswers, Said
from agentsight_rx.store.rows.ids import call_id
from agentsight_rx.view import CallRow

ORIGIN = Origin(5, 9, connection=Connection(9, 9, "", 9), direction="in")
CALL = call_id(ORIGIN, 1)
OPEN = CallRow(CALL, 1, pid=9, comm="agent", status="pending")


def says(text: str, number: int = 1, exchange: int = 1) -> AnswerProgress:
    return AnswerProgress(ORIGIN, exchange, number, (AnswerPiece(0, "text", text),))


def filled(*items: AnswerProgress | CallRow) -> OpenAnswers:
    answers = OpenAnswers()
    for item in items:
        answers.add(item)
    return answers


def test_a_reader_gets_what_it_has_not_seen() -> None:
    answers = filled(OPEN, says("a"), says("b", 2))
    assert answers.after({}) == [Said(CALL, 0, (AnswerPiece(0, "text", "a"), AnswerPiece(0, "text", "b")))]
    assert answers.after({CALL: 1}) == [Said(CALL, 1, (AnswerPiece(0, "text", "b"),))]
    assert answers.after({CALL: 2}) == []


def test_an_answer_of_which_no_call_is_open_is_not_kept() -> None:
    assert filled(OPEN, says("a", exchange=2)).after({}) == []
    assert filled(OPEN, says("a"), replace(OPEN, status="complete")).after({}) == []
    assert filled(replace(OPEN, twin="other"), says("a")).after({}) == []


def test_of_a_very_long_answer_the_newest_text_is_kept() -> None:
    answers = filled(OPEN, *(says("x" * 60_000, number) for number in range(1, 6)))
    (said,) = answers.after({})
    assert (said.first, len(said.pieces)) == (2, 3)
