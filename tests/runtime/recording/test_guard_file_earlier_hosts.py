"""The hosts of earlier recordings, by workspace, and what a guard makes of them: live, and when it judges a recording again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentsight_rx.events import Event, HostsKnown, Origin
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.runtime.recording.guard_file import hosts_of
from agentsight_rx.runtime.recording.judged import judged
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AlertRow
from tests.guarded import WORKSPACE, Story, stored


def speaking(host: str, cwd: str = WORKSPACE) -> list[Event]:
    """A command of an agent speaks to a host, which answers."""
    story = Story(cwd=cwd)
    curl = story.shell(f"curl {host}")
    story.is_answered(curl, host)
    return story.events


def alerts(path: Path, events: Sequence[Event], *, earlier: tuple[tuple[str, str], ...] = ()) -> list[AlertRow]:
    store = LmdbStore.open(stored(path, events), readonly=True)
    try:
        return judged(store, built_in_rules(), earlier=earlier)
    finally:
        store.close()


def test_a_host_of_an_earlier_recording_in_the_workspace_is_not_new(tmp_path: Path) -> None:
    first = stored(tmp_path / "first.lmdb", speaking("paste.example:8443"))
    pairs = hosts_of([first])
    assert (WORKSPACE, "paste.example") in pairs
    assert ["new-host"] == [row.rule for row in alerts(tmp_path / "a.lmdb", speaking("paste.example"))]
    assert [] == alerts(tmp_path / "b.lmdb", speaking("paste.example"), earlier=pairs)
    assert ["other.example"] == [row.target for row in alerts(tmp_path / "c.lmdb", speaking("other.example"), earlier=pairs)]


def test_what_was_known_at_its_begin_is_in_a_recording(tmp_path: Path) -> None:
    known = HostsKnown(Origin(1, 0, wall_ns=1), ((WORKSPACE, "paste.example"),))
    events = speaking("paste.example")
    assert [] == alerts(tmp_path / "a.lmdb", [known, *events])
    other = HostsKnown(Origin(1, 0, wall_ns=1), ((WORKSPACE, "other.example"),))
    pairs = known.pairs  # they are for recordings that do not say it themselves
    assert ["paste.example"] == [row.target for row in alerts(tmp_path / "b.lmdb", [other, *events], earlier=pairs)]
    assert [] == alerts(tmp_path / "c.lmdb", [], earlier=pairs)


def test_only_the_workspace_of_a_folder_counts_with_its_repository(tmp_path: Path) -> None:
    root, deep = tmp_path / "shop", tmp_path / "shop" / "deep"
    (root / ".git").mkdir(parents=True)
    deep.mkdir()
    stores = [
        stored(tmp_path / "one.lmdb", speaking("a.example", str(deep))),
        stored(tmp_path / "two.lmdb", speaking("b.example", str(tmp_path / "else"))),
    ]
    assert {(str(deep), "a.example"), (str(root), "a.example")} == {pair for pair in hosts_of(stores, root) if "a." in pair[1]}
    assert {"b.example"} <= {host for _, host in hosts_of(stores)} - {host for _, host in hosts_of(stores, deep)}


def test_what_is_no_recording_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "broken.lmdb").write_bytes(b"no store")
    first = stored(tmp_path / "first.lmdb", speaking("paste.example"))
    assert hosts_of([first]) == hosts_of([tmp_path / "gone.lmdb", tmp_path / "broken.lmdb", first]) != ()
