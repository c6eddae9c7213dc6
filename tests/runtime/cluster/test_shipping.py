"""Every closed segment is at the other place once, whole, and in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.errors import SpoolError
from agentsight_rx.events import Origin, Tick
from agentsight_rx.runtime.cluster import (
    Place,
    Shipper,
    ShipRefused,
    forget,
    place_of,
    plan_of,
    run_here,
    settings_of,
    shipping,
)
from agentsight_rx.runtime.cluster.place import LocalPlace
from agentsight_rx.store.spool import Header, encode_segment, folders, segment_name
from tests.runtime.cluster.hosts import contents, spool_at

STEPS = 4  # of one segment: half written, stored, compared, noted


def segment(number: int, *, run: str = "a", redacted: bool = True, host: str = "web1") -> bytes:
    header = Header(host=host, sequence=number, first=1, run=run, product="1.0", python="3.13", redacted=redacted)
    return encode_segment(header, [Tick(Origin(number, 0))])


def spool_of(folder: Path, *numbers: int, key: str = "web1") -> Path:
    (folder / key).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / key / segment_name(number)).write_bytes(segment(number))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """The segments below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.seg"))}


class Target(LocalPlace):
    """A folder that keeps the order of what it is asked for, and may be broken."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(str(folder))
        self.stored: list[str] = []
        self.read_names: list[str] = []
        self.spoils = 0  # so many of the next writes
        self.away = False

    def create(self, name: str, content: bytes, /) -> bool:
        if self.away:
            raise SpoolError("the place is away")
        created = super().create(name, self._spoilt(content))
        if created:
            self.stored.append(name)
        return created

    def put(self, name: str, content: bytes, /) -> None:
        self.stored.append(name)
        super().put(name, self._spoilt(content))

    def read(self, name: str, /) -> bytes | None:
        self.read_names.append(name)
        return super().read(name)

    def _spoilt(self, content: bytes) -> bytes:
        if not self.spoils:
            return content
        self.spoils -= 1
        return content[:-1] + bytes([content[-1] ^ 1])


def test_the_segments_of_all_hosts_are_stored_as_they_are(tmp_path: Path) -> None:
    spool, target = spool_at(tmp_path / "spool"), tmp_path / "to"
    target.mkdir()
    shipper = Shipper(spool, place_of(str(target)))
    shipper.run()
    assert files(spool) == files(target)
    assert (shipper.done.sent, shipper.done.size) == (len(files(spool)), sum(map(len, files(spool).values())))


def test_what_was_shipped_is_analysed_as_the_spool_itself(tmp_path: Path) -> None:
    spool = spool_at(tmp_path / "spool", hosts=("web1",), turns=1)
    (tmp_path / "to").mkdir()
    Shipper(spool, place_of(str(tmp_path / "to"))).run()
    made: list[dict[str, bytes]] = []
    for name in ("spool", "to"):
        out = place_of(str(tmp_path / f"{name}-out"))
        run_here(plan_of(place_of(str(tmp_path / name)), out, settings_of(out, redaction_key=b"k" * 32)), lambda _: None)
        made.append(contents(tmp_path / f"{name}-out"))
    assert made[0] == made[1]


def test_an_object_store_gets_them_too(tmp_path: Path) -> None:
    spool = spool_of(tmp_path / "spool", 1, 2)
    target = place_of("memory://ship-to")
    for _ in range(2):
        shipper = Shipper(spool, target)
        shipper.run()
        shipper.close()
    assert target.folders() == ["web1"]
    assert [target.read(f"web1/{name}") for name in target.names("web1")] == list(files(spool).values())


def test_each_is_sent_once_also_by_the_next_shipper(tmp_path: Path) -> None:
    target = Target(tmp_path / "to")
    for numbers in ((1, 2), (1, 2, 3)):
        shipper = Shipper(spool_of(tmp_path / "spool", *numbers), target)
        shipper.run()
        shipper.run()
        shipper.close()
    assert target.stored == target.read_names == [f"web1/{segment_name(number)}" for number in (1, 2, 3)]


def test_what_is_still_open_stays(tmp_path: Path) -> None:
    spool = spool_of(tmp_path / "spool", 1)
    (spool / "web1" / ".open").write_bytes(b"x")
    target = Target(tmp_path / "to")
    Shipper(spool, target).run()
    assert [path.name for path in (tmp_path / "to" / "web1").iterdir()] == [segment_name(1)]


def test_a_spool_that_did_not_change_is_not_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, target = spool_of(tmp_path / "spool", 1), Target(tmp_path / "to")
    shipper = Shipper(spool, target, now_s=lambda: 1e12)
    listed: list[Path] = []

    def listing(path: Path, *, empty: bool) -> dict[str, Path]:
        listed.append(path)
        return folders(path, empty=empty)

    monkeypatch.setattr(shipping, "folders", listing)
    for _ in range(5):
        shipper.run()
    assert len(listed) == 2, "once more behind the note that it wrote itself"
    spool_of(tmp_path / "spool", 2)
    shipper.run()
    assert target.stored == [f"web1/{segment_name(number)}" for number in (1, 2)]


def test_a_spool_that_has_just_changed_is_listed_again(tmp_path: Path) -> None:
    """Two changes may have the same time."""
    spool, target = spool_of(tmp_path / "spool", 1), Target(tmp_path / "to")
    shipper = Shipper(spool, target)
    shipper.run()
    shipper.run()
    seen = (spool / "web1").stat()
    spool_of(tmp_path / "spool", 2)
    os.utime(spool / "web1", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    shipper.run()
    assert target.stored == [f"web1/{segment_name(number)}" for number in (1, 2)]


def test_a_host_that_was_away_catches_up_in_order(tmp_path: Path) -> None:
    target = Target(tmp_path / "to")
    target.away = True
    shipper = Shipper(spool_of(tmp_path / "spool", *range(1, 30)), target)
    with pytest.raises(SpoolError, match="the place is away"):
        shipper.run()
    target.away = False
    spool_of(tmp_path / "spool", *range(30, 40))
    shipper.run()
    assert target.stored == [f"web1/{segment_name(number)}" for number in range(1, 40)]


@pytest.mark.parametrize("steps", range(1, 3 * STEPS + 1))
def test_a_shipper_killed_anywhere_is_gone_on_from(steps: int, tmp_path: Path) -> None:
    spool, to = spool_of(tmp_path / "spool", 1, 2, 3), tmp_path / "to"
    to.mkdir()
    program = Path(__file__).with_name("killed_ship.py")
    killed = subprocess.run(
        [sys.executable, "-m", f"tests.runtime.cluster.{program.stem}", str(spool), str(to), str(steps)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    whole = files(to)
    assert whole == {name: content for name, content in files(spool).items() if name in whole}
    target = Target(to)
    shipper = Shipper(spool, target)
    shipper.run()
    assert files(spool) == files(to)
    noted, stored = steps // STEPS, (steps + STEPS - 2) // STEPS
    assert (shipper.done.sent, shipper.done.there, shipper.done.again) == (3 - stored, stored - noted, 0)
    assert [path for folder in (spool, to) for path in folder.rglob("*.part")] == []


# -- what is stored differs ------------------------------------------------------------------------------------------


def test_what_is_stored_wrongly_is_said_and_sent_again(tmp_path: Path) -> None:
    said: list[str] = []
    target = Target(tmp_path / "to")
    target.spoils = 2
    shipper = Shipper(spool_of(tmp_path / "spool", 1), target, say=said.append)
    shipper.run()
    assert files(tmp_path / "spool") == files(tmp_path / "to")
    assert (shipper.done.sent, shipper.done.again) == (1, 2)
    assert len(said) == 2
    assert "differs from the sent segment" in said[0]


def test_a_place_that_stores_wrongly_each_time_is_an_error_and_nothing_is_noted(tmp_path: Path) -> None:
    target = Target(tmp_path / "to")
    target.spoils = 100
    shipper = Shipper(spool_of(tmp_path / "spool", 1), target, say=lambda _: None)
    with pytest.raises(SpoolError, match="3 times: check the storage"):
        shipper.run()
    target.spoils = 0
    shipper.run()
    assert files(tmp_path / "spool") == files(tmp_path / "to")


def test_half_a_segment_of_an_earlier_shipper_is_replaced(tmp_path: Path) -> None:
    spool, to = spool_of(tmp_path / "spool", 1), tmp_path / "to"
    (to / "web1").mkdir(parents=True)
    (to / "web1" / segment_name(1)).write_bytes(segment(1)[:50])
    shipper = Shipper(spool, place_of(str(to)), say=lambda _: None)
    shipper.run()
    assert files(spool) == files(to)
    assert (shipper.done.there, shipper.done.again) == (1, 1)


def test_a_segment_of_another_machine_of_this_name_is_never_written_over(tmp_path: Path) -> None:
    spool, to = spool_of(tmp_path / "spool", 1), tmp_path / "to"
    (to / "web1").mkdir(parents=True)
    (to / "web1" / segment_name(1)).write_bytes(segment(1, run="b"))
    with pytest.raises(ShipRefused, match="a name of its own by --spool-host"):
        Shipper(spool, place_of(str(to))).run()
    assert files(to) == {f"web1/{segment_name(1)}": segment(1, run="b")}


# -- what is not shipped ---------------------------------------------------------------------------------------------


def test_a_recording_with_credentials_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    spool, target = spool_of(tmp_path / "spool"), Target(tmp_path / "to")
    (spool / "web1" / segment_name(1)).write_bytes(segment(1, redacted=False))
    shipper = Shipper(spool, target)
    with pytest.raises(ShipRefused, match="--disable-auth-removal"):
        shipper.run()
    assert target.stored == []
    shipper.close()
    Shipper(spool, target, unredacted=True).run()
    assert files(spool) == files(tmp_path / "to")


def test_a_segment_without_a_header_is_said_once_and_the_rest_is_shipped(tmp_path: Path) -> None:
    said: list[str] = []
    spool = spool_of(tmp_path / "spool", 1, 3)
    (spool / "web1" / segment_name(2)).write_bytes(b"nothing")
    (spool / "web1" / segment_name(4)).write_bytes(b"nothing")
    shipper = Shipper(spool, Target(tmp_path / "to"), say=said.append)
    shipper.run()
    shipper.run()
    assert sorted(files(tmp_path / "to")) == [f"web1/{segment_name(number)}" for number in (1, 3)]
    assert [line.partition(" cannot be read and is NOT shipped")[0] for line in said] == [
        str(spool / "web1" / segment_name(number)) for number in (2, 4)
    ]
    assert shipper.done.broken == 2


def test_a_folder_that_is_not_there_is_no_place(tmp_path: Path) -> None:
    """It may be a share that is not mounted: what is shipped may be removed here."""
    with pytest.raises(SpoolError, match="make this folder, or mount it"):
        Shipper(spool_of(tmp_path / "spool", 1), place_of(str(tmp_path / "to"))).run()
    assert not (tmp_path / "to").exists()


def test_the_spool_itself_is_no_place(tmp_path: Path) -> None:
    spool = spool_of(tmp_path / "spool", 1)
    for to in (spool, spool / "web1"):
        with pytest.raises(ShipRefused, match="give another folder"):
            Shipper(spool, place_of(str(to)), keep_s=0.0)


def test_two_shippers_of_one_spool_are_refused(tmp_path: Path) -> None:
    spool, target = spool_of(tmp_path / "spool", 1), Target(tmp_path / "to")
    first = Shipper(spool, target)
    first.run()
    with pytest.raises(ShipRefused, match="another process"):
        Shipper(spool, target).run()
    first.close()
    Shipper(spool, target).run()


def test_the_end_is_asked_for_between_two_segments(tmp_path: Path) -> None:
    target = Target(tmp_path / "to")
    shipper = Shipper(spool_of(tmp_path / "spool", 1, 2, 3), target, ended=lambda: len(target.stored) == 2)
    shipper.run()
    assert len(target.stored) == 2
    assert shipper.done.waiting == 1


# -- what is removed here --------------------------------------------------------------------------------------------


def aged(spool: Path, ages: dict[int, float]) -> None:
    for number, age in ages.items():
        os.utime(spool / "web1" / segment_name(number), (1000.0 - age, 1000.0 - age))


def test_only_what_is_shipped_and_old_is_removed(tmp_path: Path) -> None:
    spool, target = spool_of(tmp_path / "spool", 1, 2, 3), Target(tmp_path / "to")
    aged(spool, {1: 90.0, 2: 10.0, 3: 90.0})
    shipper = Shipper(spool, target, keep_s=60.0, now_s=lambda: 1000.0, ended=lambda: len(target.stored) == 2)
    shipper.run()
    assert len(files(spool)) == 3, "the end was asked for: nothing more is done"
    later = Shipper(spool, target, keep_s=60.0, now_s=lambda: 1000.0)
    shipper.close()
    target.away = True
    with pytest.raises(SpoolError):
        later.run()
    assert len(files(spool)) == 3
    target.away = False
    later.run()
    assert list(files(spool)) == [f"web1/{segment_name(2)}"]
    assert later.done.removed == 2


def test_what_a_second_place_does_not_have_yet_is_not_removed(tmp_path: Path) -> None:
    spool = spool_of(tmp_path / "spool", 1)
    places: list[Place] = [Target(tmp_path / "one"), Target(tmp_path / "two")]
    for place in places:
        shipper = Shipper(spool, place)
        shipper.run()
        shipper.close()
    spool_of(tmp_path / "spool", 2)
    first = Shipper(spool, places[0], keep_s=0.0, now_s=lambda: 1e12)
    first.run()
    assert list(files(spool)) == [f"web1/{segment_name(2)}"]
    first.close()
    Shipper(spool, places[1], keep_s=0.0, now_s=lambda: 1e12).run()
    assert files(spool) == {}


def shipped_to(spool: Path, place: Place, *, keep_s: float | None = None) -> list[str]:
    """What a shipper says of all that is in the spool."""
    said: list[str] = []
    shipper = Shipper(spool, place, keep_s=keep_s, now_s=lambda: 1e12, say=said.append)
    shipper.run()
    shipper.run()
    shipper.close()
    return said


def test_a_place_that_holds_up_the_removal_is_named_once_and_can_be_forgotten(tmp_path: Path) -> None:
    spool = spool_of(spool_of(tmp_path / "spool", 1), 1, key="web1+1of2")
    old, new = Target(tmp_path / "old"), Target(tmp_path / "new")
    assert shipped_to(spool, old, keep_s=0.0) == []
    spool_of(spool_of(spool, 2), 2, key="db1")  # db1 has no note of the old place
    assert shipped_to(spool, new) == [], "nothing is removed, so nothing waits"
    (line,) = shipped_to(spool, new, keep_s=0.0)
    assert line.startswith(f"2 segments are NOT removed here before they are at {old.url} too")
    assert f"--forget {old.url} once" in line
    assert sorted(files(spool)) == [f"db1/{segment_name(2)}", f"web1/{segment_name(2)}"]
    said: list[str] = []
    forget(spool, f"{tmp_path}/old/", said.append)
    assert said == [f"{tmp_path}/old/ is forgotten: segments are removed without being there"]
    assert shipped_to(spool, new, keep_s=0.0) == []
    assert files(spool) == {}
    with pytest.raises(SpoolError, match=f"shipped to {old.url}: it was to {new.url}"):
        forget(spool, old.url)


def test_nothing_is_forgotten_beside_a_shipper(tmp_path: Path) -> None:
    spool, target = spool_of(tmp_path / "spool", 1), Target(tmp_path / "to")
    shipper = Shipper(spool, target)
    shipper.run()
    with pytest.raises(ShipRefused, match="another process"):
        forget(spool, target.url)
    shipper.close()
    forget(spool, target.url)


def test_a_spool_of_which_all_was_removed_is_no_error(tmp_path: Path) -> None:
    spool, target = spool_of(tmp_path / "spool", 1), Target(tmp_path / "to")
    shipper = Shipper(spool, target, keep_s=0.0, now_s=lambda: 1e12)
    shipper.run()
    shipper.run()
    assert target.stored == [f"web1/{segment_name(1)}"]


def test_a_note_that_cannot_be_read_costs_a_comparison(tmp_path: Path) -> None:
    said: list[str] = []
    spool, target = spool_of(tmp_path / "spool", 1), Target(tmp_path / "to")
    (spool / "web1" / ".shipped").write_text("{")
    Shipper(spool, target, say=said.append).run()
    assert target.stored == [f"web1/{segment_name(1)}"]
    assert "all segments are compared" in said[0]


def test_notes_are_private_and_of_the_owner_of_the_spool(tmp_path: Path) -> None:
    spool = spool_of(tmp_path / "spool", 1)
    if os.geteuid() == 0:
        os.chown(spool / "web1", 4321, 4321)
    Shipper(spool, Target(tmp_path / "to")).run()
    owner = (spool / "web1").stat().st_uid
    for name in (".shipped", ".shipping"):
        seen = (spool / "web1" / name).stat()
        assert (seen.st_mode & 0o777, seen.st_uid) == (0o600, owner)
