"""Traffic that was not read, in words: the reason of each, and what to do about it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentsight_rx.events import EMULATED, NO_CODE, NO_FILES, NO_HTTP, SEARCHED, UNOPENED, BlindSpot, Origin
from agentsight_rx.store.rows.gaps import Gaps, advice_of, connections_of, reason_of, row_of, sentence_of
from agentsight_rx.view.queries.sessions.gaps import missing_things

SPOT = BlindSpot(Origin(5, 71, comm="uv"), 7, connections=3, size=15_018, peers=("a:1", "b:2", "c:3", "d:4"))


def test_a_row_has_what_the_event_says() -> None:
    row = row_of(replace(SPOT, files=("/bin/uv",), looks_like=("rustls with aws-lc",)))
    assert sentence_of(row) == "uv (rustls with aws-lc), process 71: 3 connections, 15,018 bytes to a:1, b:2, c:3 and 1 more"
    assert "are not found or cannot be probed; why: " in advice_of(row)


def test_an_emulated_program_is_to_be_replaced_by_one_of_this_machine() -> None:
    assert "run the program of this machine" in advice_of(
        row_of(replace(SPOT, files=("/bin/uv",), looks_like=(f"{EMULATED}arm",)))
    )


def test_without_tls_code_it_may_speak_plainly() -> None:
    row = row_of(replace(SPOT, peers=("a:1",), among=9, why=NO_CODE))
    assert (
        sentence_of(row) == "uv (no known TLS code), process 71: 3 of 9 connections, which carried 15,018 bytes in all, to a:1"
    )
    assert connections_of(row) == "3 of 9 connections"
    assert "without TLS" in advice_of(row)


@pytest.mark.parametrize("why", ["", NO_CODE, NO_HTTP, NO_FILES, UNOPENED])
def test_each_view_says_the_reason_of_the_row(why: str) -> None:
    """Nothing says that there is no known TLS code where its files were not looked at."""
    row = row_of(replace(SPOT, why=why))
    (missing,) = missing_things(Gaps(blind_spots=(row,)))
    assert (why or "the reason is not known") == reason_of(row) == missing.brief
    assert (why in (NO_CODE, NO_HTTP)) == ("no known TLS code" in sentence_of(row))
    assert (why == NO_CODE) == ("--plain-http" in advice_of(row))


@pytest.mark.parametrize("others", [(), ("OpenSSL",)])
def test_a_program_that_was_new_is_read_later(others: tuple[str, ...]) -> None:
    row = row_of(replace(SPOT, files=("/bin/uv", *others), looks_like=(SEARCHED, *others)))
    assert "TLS code that was still being searched for" in sentence_of(row)
    assert advice_of(row).endswith("its later connections are read")
