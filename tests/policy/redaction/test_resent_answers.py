from __future__ import annotations

from agentsight_rx.core.stream import Operator
from agentsight_rx.events import AnswerPiece, AnswerProgress, Connection, Event, Origin, Reply, SseMessage
from agentsight_rx.operators import remove_auth
from tests.operators import Running, run

SECRET = "sk-ant-api03-Zk3uV9qLr7XwT2mB8nC4dF6gH1jK5pQs"
ORIGIN = Origin(5, 9, connection=Connection(9, 9, "", 9), direction="in")


def cleaning() -> Operator[Event, Event]:
    return remove_auth(key=bytes(32))


def progress(number: int, *pieces: AnswerPiece) -> AnswerProgress:
    return AnswerProgress(ORIGIN, 1, number, pieces)


def text(value: str, block: int = 0) -> AnswerPiece:
    return AnswerPiece(block, "text", value)


def shown(*events: AnswerProgress) -> str:
    made = run(cleaning(), events)
    return "".join(piece.text for event in made if isinstance(event, AnswerProgress) for piece in event.pieces)


def test_a_secret_that_is_cut_between_two_reports_is_masked_in_both() -> None:
    for cut in range(1, len(SECRET)):
        said = shown(progress(1, text(f"use {SECRET[:cut]}")), progress(2, text(f"{SECRET[cut:]} now")))
        assert SECRET[14:] not in said
        assert not [at for at in range(14, len(SECRET) - 8) if SECRET[at : at + 8] in said]
        assert said.endswith(" now")


def test_parts_of_an_answer_do_not_continue_each_other() -> None:
    first = progress(1, text(f"{SECRET[:30]}"), text("a clear word", 1))
    assert shown(first, progress(2, text("and on", 1))).endswith("a clear wordand on")


def test_an_answer_that_went_silent_is_still_in_its_secret() -> None:
    silent = SseMessage(ORIGIN, 1, "anthropic", Reply(), (), 1, complete=False, reason="timeout")
    running = Running(cleaning())
    running.feed(progress(1, text(f"use {SECRET[:30]}")), silent)
    assert SECRET[30:] not in repr(running.feed(progress(2, text(SECRET[30:]))))


def test_a_clear_report_passes_as_it_is() -> None:
    event = progress(1, text("Grüße 🙂"))
    assert run(cleaning(), [event])[0] is event
