"""A number has one meaning and one name: the tokens of one exchange at the end of a run, in every report, in text and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsight_rx.cli.capturing.closing import closing_lines
from agentsight_rx.cli.report.shown.screen import Screen
from agentsight_rx.cli.report.summary import summary_text
from agentsight_rx.events.loss import Ledger
from agentsight_rx.runtime.run import Summary
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.store.state import LmdbStore
from tests.cli.report.asking import bytes_of
from tests.cli.report.story import BEGAN_MS, Story, items, recorded, text

USAGE = {"input_tokens": 287, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 6, "output_tokens": 48}
SAID = "393 in (25 % cached) · 48 out"


@pytest.fixture
def story() -> Story:
    made = Story()
    made.asks(text("How many lines?"), answer=[text("One.")], usage=USAGE)
    return made


def summary_of(story: Story) -> Summary:
    ledger, tally = Ledger(), Tally()
    ledger.began_ms = BEGAN_MS
    tally.add(items(story.events))
    return Summary(tally, ledger, seconds=1.0, ended_by="graph")


def test_in_is_all_that_was_sent_at_every_end_and_in_every_report(story: Story, tmp_path: Path) -> None:
    store, summary = recorded(tmp_path / "run.lmdb", story), summary_of(story)
    for lines in (
        closing_lines(summary, store, since_ms=BEGAN_MS, who="sh"),
        closing_lines(summary, None, since_ms=BEGAN_MS, verb="traced"),
        closing_lines(summary, store, since_ms=None, verb="replayed"),
        bytes_of("--db", str(store), "--text").decode().splitlines(),
        bytes_of("calls", "--db", str(store), "--text").decode().splitlines(),
    ):
        said = " ".join(" ".join(lines).split())
        assert SAID in said, said
    (whole,) = (json.loads(line) for line in bytes_of("--db", str(store), "--json").splitlines())
    assert (whole["asked_tokens"], whole["cached_tokens"], whole["output_tokens"]) == (393, 100, 48)


def test_a_list_of_prices_has_one_name(story: Story, tmp_path: Path) -> None:
    store = recorded(tmp_path / "run.lmdb", story)
    own = tmp_path / "own.toml"
    own.write_text('["*"]\ninput = 1\noutput = 1\n')
    for words, name in (([], "prices of 20"), (["--prices", str(own)], f"prices of {own}")):
        for report in ([], ["calls"], ["call", "1"]):
            said = " ".join(bytes_of(*report, "--db", str(store), "--text", *words).decode().split())
            assert name in said, (report, said)
            assert "genai-prices" not in said


def test_the_screen_without_a_date_of_today_names_the_list_itself(story: Story, tmp_path: Path) -> None:
    kept = LmdbStore.open(recorded(tmp_path / "run.lmdb", story), readonly=True)
    try:
        assert any("prices of genai-prices " in line for line in summary_text(kept, Screen()))
    finally:
        kept.close()
