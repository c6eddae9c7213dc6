"""A loss, and an exchange that is not whole, in words."""

from __future__ import annotations

import pytest

from agentsight_rx.events.loss import Entry, Reason
from agentsight_rx.store.reasons import advice_on, lost_words, sentence_why, why, why_cut


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("no_end_mark", ("it has no end mark, so there may be more", "")),
        ("midway", ("the connection had begun before the capture", "Start the agent under `agentsight-rx record`.")),
        ("of_its_own", ("of its own", "")),
        ("", ("not all of it was seen", "")),
    ],
)
def test_an_exchange_that_is_not_whole_says_why(reason: str, said: tuple[str, str]) -> None:
    assert said == why_cut(reason)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.NOT_OPENED, "not captured: TLS"),
        (Reason.OPENED_LATE, "not captured at first, 2 times: TLS"),
        (Reason.UNSEEN, "the recorded command was not seen to run"),
        (Reason.UNFOLLOWED, "2 processes not looked into, or not to the end"),
        (Reason.LEFT_RUNNING, "2 processes left running"),
        (Reason.OTHER_ABI, "2 32-bit programs: files, connections and pipes not seen"),
        (Reason.KERNEL_LOST, "2 records of TLS lost (kernel lost)"),
    ],
)
def test_the_lost_thing_is_named(reason: Reason, said: str) -> None:
    assert said == lost_words(Entry("tls", reason, 2, 0))


def test_a_loss_says_why_and_what_to_do() -> None:
    assert ["the kernel's buffer was full", "The kernel's buffer was full."] == [
        said(Reason.KERNEL_LOST) for said in (why, sentence_why)
    ]
    assert ["leave out what you do not need, such as --no-files", ""] == [
        advice_on(reason) for reason in (Reason.KERNEL_LOST, Reason.BUG)
    ]
    assert [] == [reason for reason in Reason if not reason.intended and not why(reason)]
