"""Spools and results in S3, by ./test.sh --cluster: shippers and runs side by side and killed, against the server of moto."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from tests.live.capture import until
from tests.runtime.cluster.elsewhere import BIN, REPORTS, agentsight, environment, expected, finished, report
from tests.runtime.cluster.hosts import spool_at
from tests.runtime.cluster.s3 import S3, serving

BUCKET = "bucket"
CREATORS, NAMES = 8, 20

# of several processes that create the same names, which names this one was the first with
CREATE = f"""
import sys
from agentsight_rx.runtime.cluster import place_of
place = place_of("s3://{BUCKET}/created")
print("ready", flush=True)
sys.stdin.readline()
first = int(sys.argv[1]) * {NAMES} // {CREATORS}  # each begins elsewhere, so that none is first everywhere
for number in [*range(first, {NAMES}), *range(first)]:
    if place.create(f"a/{{number}}", sys.argv[1].encode()):
        print(number)
"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Generator[S3]:
    with serving(tmp_path_factory.mktemp("s3")) as server:
        assert 200 == server.put(BUCKET)
        yield server


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spool_at(tmp_path_factory.mktemp("spool"))


@pytest.fixture
def copy(spool: Path, tmp_path: Path) -> Path:
    """A spool of which nothing was shipped."""
    return shutil.copytree(spool, tmp_path / "copy")


def segments(spool: Path) -> dict[str, bytes]:
    return {str(path.relative_to(spool)): path.read_bytes() for path in spool.rglob("*.seg")}


def noted(spool: Path) -> int:
    """How many segments a shipper has noted."""
    return sum(sum(json.loads(path.read_bytes()).values()) for path in spool.glob("*/.shipped"))


def ship(s3: S3, spool: Path, to: str, *more: str) -> subprocess.Popen[str]:
    return agentsight(s3.own, "ship", "--spool", spool, "--to", f"s3://{BUCKET}/{to}", "--once", *more)


def test_the_server_refuses_a_second_create(s3: S3) -> None:
    statuses = [s3.put(f"{BUCKET}/first", content, **{"If-None-Match": "*"}) for content in (b"1", b"2")]
    assert [200, 412] == statuses
    assert 200 == s3.put(f"{BUCKET}/first", b"3"), "without the condition it is written over"


def test_of_many_processes_that_create_a_name_one_does(s3: S3) -> None:
    words = [str(BIN / "python"), "-c", CREATE]
    creators = [
        subprocess.Popen([*words, str(number)], env=s3.own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(CREATORS)
    ]
    for each in creators:
        assert each.stdout is not None
        assert "ready\n" == each.stdout.readline()
    first: list[tuple[str, bytes]] = []
    for each in creators:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    for number, each in enumerate(creators):
        with each:
            said, _ = each.communicate()
            assert 0 == each.returncode
            first += [(f"a/{name}", str(number).encode()) for name in said.split()]
    assert NAMES == len(first)
    assert dict(first) == s3.files(BUCKET, "created"), "what is there is of the one that was told so"
    assert len({creator for _, creator in first}) > 1, "they met"


def test_each_segment_is_stored_once_also_by_the_next_shipper(s3: S3, copy: Path) -> None:
    count = len(segments(copy))
    assert f"{count} segments shipped" in finished(ship(s3, copy, "twice"))
    assert "agentsight-rx: 0 segments shipped" in finished(ship(s3, copy, "twice"))
    assert segments(copy) == s3.files(BUCKET, "twice")
    assert Counter(segments(copy).keys()) == s3.written(BUCKET, "twice")


def test_two_shippers_at_once_store_each_segment_once(s3: S3, copy: Path, tmp_path: Path) -> None:
    """A spool has one shipper; two of equal spools share the work of one."""
    other = shutil.copytree(copy, tmp_path / "other")
    both = [ship(s3, each, "both") for each in (copy, other)]
    assert all("segments shipped" in finished(each) for each in both)
    assert segments(copy) == s3.files(BUCKET, "both")
    assert Counter(segments(copy).keys()) == s3.written(BUCKET, "both")


def test_a_spool_that_is_shipped_is_shipped_by_no_other(s3: S3, copy: Path) -> None:
    first = agentsight(s3.own, "ship", "--spool", copy, "--to", f"s3://{BUCKET}/alone")
    until(lambda: noted(copy))
    assert "another process: end that one first" in finished(ship(s3, copy, "alone"), 1)
    until(lambda: noted(copy) == len(segments(copy)))
    first.send_signal(signal.SIGINT)
    finished(first)


def _is_noted(shipper: subprocess.Popen[str], spool: Path, segments: int) -> bool:
    """Also where the shipper ended before."""
    return shipper.poll() is not None or noted(spool) >= segments


def test_a_shipper_that_is_killed_is_gone_on_from_and_all_is_removed_here(s3: S3, copy: Path) -> None:
    before = segments(copy)
    for kills in range(1, 4):
        shipper = ship(s3, copy, "killed")
        until(partial(_is_noted, shipper, copy, 4 * kills))
        shipper.kill()
        finished(shipper, -signal.SIGKILL)
        assert 4 * kills <= noted(copy) < len(before), "it was killed on its way"
        whole = s3.files(BUCKET, "killed")
        assert whole == {name: before[name] for name in whole}
    assert f"{len(before)} removed here" in finished(ship(s3, copy, "killed", "--delete-after", "0"))
    assert segments(copy) == {}
    assert before == s3.files(BUCKET, "killed")
    assert Counter(before.keys()) == s3.written(BUCKET, "killed")


def test_two_runs_at_once_make_what_one_replay_makes(s3: S3, copy: Path, tmp_path: Path) -> None:
    own = environment(HOME=str(tmp_path))
    single = tmp_path / "single.lmdb"
    finished(agentsight(own, "replay", copy, "--quiet", "--db", single))
    finished(ship(s3, copy, "spool"))
    words = ("cluster", "run", "--spool", f"s3://{BUCKET}/spool", "--out", f"s3://{BUCKET}/result", "--workers", "2")
    stores = [tmp_path / f"{number}.lmdb" for number in range(2)]
    runs = [agentsight(s3.own, *words, "--key-of", single, "--store", store) for store in stores]
    for run in runs:
        lines = finished(run).splitlines()
        assert [line for line in lines if not line.startswith("agentsight-rx: ")] == []
    for what in REPORTS:
        wanted = report(own, single, what)
        assert len(wanted) > 10
        assert [wanted, wanted] == [report(own, store, what) for store in stores]
    made = s3.files(BUCKET, "result")
    out = tmp_path / "out"
    out.mkdir()
    (out / "settings.json").write_bytes(made["settings.json"])
    assert expected(copy, out) == {name: content for name, content in made.items() if not name.endswith(".state")}
    assert {1} == {count for name, count in s3.written(BUCKET, "result").items() if name.endswith(".done") and "web" in name}
