"""The recipe for Spark as docs/cluster.md prints it, by ./test.sh --cluster: it makes what one process makes, byte for byte."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from tests.live.capture import until
from tests.runtime.cluster.elsewhere import BIN, REPORTS, agentsight, environment, expected, finished, report
from tests.runtime.cluster.hosts import spool_at

PAGE = Path(__file__).parents[3] / "docs" / "cluster.md"
SHARED = "/shared/"  # of the page


def printed(language: str) -> str:
    """The block of this language in the section on Spark."""
    section = PAGE.read_text().partition("\n## On Spark\n")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(block)


class Shared:
    """What the recipe reads and writes, in a folder of a test."""

    def __init__(self, folder: Path) -> None:
        self.spool, self.out, self.store = folder / "spool", folder / "result", folder / "all.lmdb"
        self._folder = folder
        self._own = environment(HOME=str(folder), SPARK_LOCAL_IP="127.0.0.1")
        recipe = printed("python")
        assert recipe.count(SHARED) == 2
        (folder / "on_spark.py").write_text(recipe.replace(SHARED, f"{folder}/"))

    def started(self, master: str) -> subprocess.Popen[str]:
        words = [str(BIN / "spark-submit"), "--master", master, str(self._folder / "on_spark.py")]
        return subprocess.Popen(
            words, env=self._own, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def report(self, store: Path, what: str) -> bytes:
        return report(self._own, store, what)

    def ran(self, *words: object) -> None:
        finished(agentsight(self._own, *words))

    def committed(self) -> int:
        return len(list(self.out.glob("*/*.done")))

    def reference(self, folder: Path) -> dict[str, bytes]:
        """What one process makes, with the same key of labels."""
        folder.mkdir()
        (folder / "settings.json").write_bytes((self.out / "settings.json").read_bytes())
        return expected(self.spool, folder)

    def made(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.out)): path.read_bytes()
            for path in self.out.rglob("*")
            if path.is_file() and not path.name.endswith((".state", ".part", ".crc"))
        }


def workers_of(pid: int) -> list[int]:
    """The processes in which Spark runs Python: children of its daemon, below our spark-submit."""
    below: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        below.setdefault(parent, []).append(int(path.parent.name))
    found, at = list[int](), [pid]
    while at:
        each = at.pop()
        children = below.get(each, [])
        at += children
        if children and b"pyspark.daemon" in Path(f"/proc/{each}/cmdline").read_bytes():
            found += children
    return found


def test_the_recipe_makes_what_one_process_makes(tmp_path: Path) -> None:
    shared = Shared(tmp_path)
    spool_at(shared.spool)
    finished(shared.started("local[2]"))
    made = shared.made()
    finished(shared.started("local[2]"))  # nothing is left to do
    assert made == shared.made()
    assert shared.reference(tmp_path / "reference") == made
    assert len(list(shared.spool.rglob("*.seg"))) == shared.committed() > 20
    single = tmp_path / "single.lmdb"
    load = printed("sh").splitlines()[-1].replace(SHARED, f"{tmp_path}/").split()
    assert load[:3] == ["agentsight-rx", "cluster", "load"]
    shared.ran(*load[1:-1], shared.store)
    shared.ran("cluster", "load", "--from", tmp_path / "reference", "--store", single)
    for what in REPORTS:
        assert len(shared.report(single, what)) > 10
        assert shared.report(single, what) == shared.report(shared.store, what)


def test_a_worker_of_spark_that_is_killed_is_retried(tmp_path: Path) -> None:
    shared = Shared(tmp_path)
    spool_at(shared.spool, hosts=("web1", "db1"), turns=120)
    count = len(list(shared.spool.rglob("*.seg")))
    run = shared.started("local[2,4]")  # four attempts, as a cluster has them by itself; local has one
    until(lambda: run.poll() is not None or shared.committed() >= 4)
    workers = workers_of(run.pid)
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert shared.committed() < count, "it was killed on its way"
    said = finished(run)
    assert "ost task" in said, said  # "Lost task 0.0 in stage 0.0"
    assert shared.reference(tmp_path / "reference") == shared.made()
