"""Whether a recording is whole, as the head of the page and the rail say it."""

from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.store.rows.tables import Recording
from agentsight_rx.view.page.counts import Wholeness, wholeness_of
from agentsight_rx.view.queries.sessions.health import read_health
from tests.view.page.story import stored

# Nothing is counted as missing yet, the unfinished run neither
WHOLE = replace(read_health(stored([])), missing=0, unended=())


def test_a_recording_is_whole_so_far_or_not() -> None:
    assert wholeness_of(WHOLE) == Wholeness("whole")
    assert wholeness_of(replace(WHOLE, live=(Recording(1, 2),))) == Wholeness("so_far")


def test_the_first_two_missing_things_are_named_and_all_are_counted() -> None:
    found = wholeness_of(replace(WHOLE, missing=3, calls_cut=2, commands_unseen=1, rules_error="rules.toml, line 3: no"))
    assert (found.state, found.missing, len(found.said)) == ("not_whole", 3, 2)
    one = wholeness_of(replace(WHOLE, missing=1, rules_error="rules.toml, line 3: no"))
    assert len(one.said) == 1
