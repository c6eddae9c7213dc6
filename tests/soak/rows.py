"""
A scene and a size -> one row of the table of a recorder that runs always: counts are asserted, figures are returned.

No assertion is about time: on a busy machine a short run is slow, and still has to be right.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from agentsight_rx.events.loss import Reason
from agentsight_rx.sources.kernel.features import takes_links
from agentsight_rx.store.rows.tables import CALLS, LOSSES, PROCESSES, SESSIONS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.reading import rows_of
from agentsight_rx.view.queries.sessions.health import Healths
from tests.disks import fill, free, small_disk
from tests.live.capture import until
from tests.live.watched import Agent, Recorder, Scene
from tests.soak.beside import a_collector_that_hangs, a_locked_store, programs_a_second, tls_loop_s
from tests.soak.measured import MEGA, Figure, Taken, figures_at, free_port, slope_of, stored, taken

__all__ = ["killed", "many", "quiet", "shed", "sinks", "slowed", "stopped"]

_SLOPE_S = 300.0  # what is made once is most of what grows before
_LARGE_WORDS, _PAUSE_S = 30_000, 0.5  # of a prompt: 200 KB; between two
_SOFT = 0.85  # of the limit: from there on contents are shed
_WARM = 5  # rounds after which what is made once is there


def quiet(scene: Scene, *, rate: int, seconds: float) -> Iterator[Figure]:
    """No agent runs, and many programs start in the group that is watched."""
    with recording(scene) as recorder:
        before = _settled(recorder)
        assert before.probes == 0 or not takes_links(wanted=True), "no probe is in any program"
        count, took_s = programs_a_second(rate, seconds, scene.group)
        after = _settled(recorder)
        assert after.handles == before.handles
    with stored(_store(scene)) as store:
        assert store is None or not store.scan(SESSIONS)
    share = 100 * (after.cpu_s - before.cpu_s) / took_s
    yield Figure(
        "no agent", f"processor, beside {count / took_s:,.0f} programs a second", f"{share:.2f} %", "0.5 %", share <= 0.5
    )
    yield Figure("no agent", "probes in programs", str(after.probes), "0", True)
    yield Figure(
        "no agent", "memory, anonymous + BPF tables", _memory(after), "100 MB", after.anonymous + after.tables <= 100 * MEGA
    )


def slowed(scene: Scene, *, times: int, rounds: int) -> Iterator[Figure]:
    """How much slower a program that is no agent writes through TLS, with a recorder and without, in turn."""
    loop = scene.directory / "server.pem", scene.certificate, times
    without, idle, busy = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        without.append(tls_loop_s(*loop))
        with recording(scene) as recorder:
            _settled(recorder)
            idle.append(tls_loop_s(*loop))
            agent = scene.start()
            recorder.reads(agent.known)
            busy.append(tls_loop_s(*loop))
            agent.ends()
    ratio = min(idle) / min(without)
    yield Figure("no agent", "TLS of other programs takes, times", f"{ratio:.3f}", "0.98 to 1.02", 0.98 <= ratio <= 1.02)
    yield Figure("an agent runs", "TLS of other programs takes, times", f"{min(busy) / min(without):.3f}")


def many(scene: Scene, *, runs: int, at_once: int, seconds: float = 600.0) -> Iterator[Figure]:
    """
    So many agents, or as many as these seconds allow, some at a time, each with a call and a tool. Between two rounds none
    runs.
    """
    with recording(scene) as recorder:
        before = _settled(recorder)
        begun_s, most = time.monotonic(), Taken(0, 0, 0, 0, 0, 0, 0, 0, 0)
        points, done = list[tuple[float, float]](), 0
        while done < runs and (not done or time.monotonic() - begun_s < seconds):
            agents = [scene.start() for _ in range(min(at_once, runs - done))]
            recorder.reads(*(agent.known for agent in agents))
            for agent in agents:
                agent.asks()
            busy = taken(recorder.pid)
            most = max(most, busy, key=lambda each: each.anonymous + each.tables)
            for agent in agents:
                agent.ends()
                scene.forget(agent)
            done += len(agents)
            until(lambda: taken(recorder.pid).handles == before.handles)  # nothing stays attached or open
            points.append((time.monotonic() - begun_s, taken(recorder.pid).anonymous / MEGA))
        runs = done
        until(lambda: _calls(scene) == runs)
        after = taken(recorder.pid)
        said = recorder.ends()
    with stored(_store(scene)) as store:
        assert store is not None
        assert runs == len(store.scan(SESSIONS)), "each run is a session"
        assert not [entry for _, entry in store.scan(LOSSES) if not entry.reason.intended], said
        assert runs == sum(row.argv[:1] == ("/bin/echo",) for row in rows_of(store, PROCESSES))
    late = [each for each in points if each[0] > points[-1][0] / 3]
    slope = 3600 * slope_of(late)
    yield Figure("many agents", f"of {runs:,} calls and tools, seen", f"{runs:,}", "all", True)
    yield Figure("many agents", "descriptors, threads, links, probes, tables", "as before the first", "as before", True)
    yield Figure("many agents", "memory, nothing runs, before", _memory(before), "100 MB", _is_below(before, 100))
    yield Figure("many agents", "memory, nothing runs, behind", _memory(after), "100 MB", _is_below(after, 100))
    yield Figure("many agents", f"memory, {at_once} run, the most", _memory(most), "200 MB", _is_below(most, 200))
    per_run = (points[-1][1] - points[min(_WARM, len(points) - 1)][1]) / max(1, runs - _WARM * at_once) * 1000
    growth = (
        f"{slope:+.1f} MB/h, {per_run:+.1f} MB per 1,000 runs" if points[-1][0] >= _SLOPE_S else "only a longer run shows it"
    )
    yield Figure("many agents", f"growth, {points[-1][0]:,.0f} s", growth, "+1 MB/h")


def killed(scene: Scene, *, times: int) -> Iterator[Figure]:
    """An agent goes on while its recorder is killed and started again."""
    port, agent, asked, longest_s = free_port(), scene.start(), 0, 0.0
    recorder = scene.record(_store(scene), "--metrics", f"127.0.0.1:{port}")
    recorder.reads(agent.known)
    for _ in range(times):
        asked = _asks(scene, agent, asked)
        recorder.is_killed()
        begun_s = time.monotonic()
        agent.asks()  # which no one sees
        recorder = scene.record(_store(scene), "--metrics", f"127.0.0.1:{port}")
        longest_s = max(longest_s, time.monotonic() - begun_s)
        recorder.reads(agent.known)
        assert figures_at(port)["agentsight_up"] == 1
    asked = _asks(scene, agent, asked)
    agent.ends()
    recorder.ends()
    with stored(_store(scene)) as store:
        assert store is not None
        assert asked == len(store.scan(CALLS)), "each call while it ran, and no other"
        [session] = [row for _, row in store.scan(SESSIONS)]
        assert asked == session.calls
        found = Healths(store).of(session)
        assert times == len(found.unended), "each kill is a run without an orderly end"
        [gone_on] = [each.what for each in found.beginnings if "went on while nothing was recorded" in each.what]
        assert times == 1 or f"in {times} gaps" in gone_on, gone_on
    yield Figure("killed", "said in the session", gone_on, "each gap", True)
    yield Figure("killed", f"{times} times; calls seen of those while it ran", f"{asked} of {asked}", "all", True)
    yield Figure("killed", "captures again, at the latest behind", f"{longest_s:.1f} s", "10 s", longest_s <= 10)


def stopped(scene: Scene, *, seconds: float, programs: int) -> Iterator[Figure]:
    """A recorder stands still while its agent works: what the kernel kept, and what it had to drop, is all that happened."""
    with recording(scene) as recorder:
        agent = scene.start()
        recorder.reads(agent.known)
        asked = _asks(scene, agent, 0)
        usual_s = _took(agent)
        until(lambda: _calls(scene) == asked + 1)
        os.kill(recorder.pid, signal.SIGSTOP)
        try:
            begun_s = time.monotonic()
            agent.asks(_many_programs(scene, programs))
            times = list[float]()
            while not times or time.monotonic() - begun_s < seconds:
                times.append(_took(agent))
                time.sleep(0.05)
        finally:
            os.kill(recorder.pid, signal.SIGCONT)
        agent.ends()
        said = recorder.ends()
    sent = asked + 2 + len(times)
    with stored(_store(scene)) as store:
        assert store is not None
        seen = len(store.scan(CALLS))
        ran = _ran(store, "/bin/true")
        lost = _lost(store)
    assert seen == sent or (lost and seen < sent), said
    assert ran <= programs <= ran + lost, said
    slow = sorted(times)[len(times) // 2] / usual_s
    yield Figure(
        "stopped",
        f"for {seconds:.0f} s; of {sent} calls, seen",
        f"{seen}; {lost:,} events counted as lost",
        "all, or counted",
        True,
    )
    yield Figure("stopped", f"of {programs:,} programs, seen", f"{ran:,}", "all, or counted", True)
    yield Figure("stopped", "a call takes meanwhile, times", f"{slow:.2f}", "1.02")


def sinks(scene: Scene, *, seconds: float, programs: int) -> Iterator[Figure]:
    """The disk becomes full, the store is locked, the collector hangs all the time: the rest is seen."""
    port, sent = free_port(), 0
    with small_disk(scene.directory / "small", size="24m") as disk, a_collector_that_hangs() as url:
        path = disk / "machine.lmdb"
        flags = ("--metrics", f"127.0.0.1:{port}", "--otel", "--otel-endpoint", url)
        recorder = scene.record(path, *flags, env={**os.environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"})
        agent = scene.start()
        recorder.reads(agent.known)
        sent = _asks(scene, agent, sent, path)
        before = taken(recorder.pid)
        fill(disk)
        sent += _asks_until(agent, lambda: "sink store failed" in recorder.said)
        until(lambda: any('reason="sink_failed"' in name and value > 0 for name, value in figures_at(port).items()))
        sent += _asks_for(agent, seconds)
        free(disk)
        sent += _asks_until(agent, lambda: "sink store works again" in recorder.said)
        with stored(path) as store:
            known = 0 if store is None else len(store.scan(CALLS))
        sent += _asks_until(agent, lambda: _calls(scene, path) > known)
        with a_locked_store(path):
            agent.asks(_many_programs(scene, programs))
            sent += 1 + _asks_for(agent, seconds)
            assert figures_at(port)["agentsight_up"] == 1
            most = taken(recorder.pid)
        behind = _calls(scene, path)
        sent += _asks_until(agent, lambda: _calls(scene, path) > behind)
        agent.ends()
        said = recorder.ends()
        with stored(path) as store:
            assert store is not None
            seen, lost = len(store.scan(CALLS)), _lost(store)
            ran = _ran(store, "/bin/true")
            stages = {entry.stage for _, entry in store.scan(LOSSES) if not entry.reason.intended}
    assert {"otel", "store"} <= stages, (stages, said)
    assert recorder.process.returncode == 1, said
    assert "OpenTelemetry: " in said, said
    assert "nothing is missing" not in said, said
    assert seen <= sent, said
    assert 0 < lost, said
    yield Figure("sinks", f"of {sent} calls, stored", f"{seen}; {lost:,} events counted as lost", "all, or counted", True)
    yield Figure("sinks", f"of {programs:,} programs while the store was locked", f"{ran:,}", "all, or counted", True)
    grew = most.anonymous - before.anonymous
    yield Figure("sinks", "memory more, all of them blocked", f"{grew / MEGA:+.0f} MB", "bounded")


def shed(scene: Scene, *, calls: int) -> Iterator[Figure]:
    """The soft limit is what the recorder takes already: contents of large prompts are shed, and all else is recorded."""
    port, path = free_port(), scene.directory / "measured.lmdb"
    agent = scene.start(words=_LARGE_WORDS)
    measured = scene.record(path)
    measured.reads(agent.known)
    agent.asks()
    until(lambda: _calls(scene, path) == 1)
    own = taken(measured.pid)
    measured.ends()
    limit = int((own.anonymous + own.tables) / _SOFT)
    recorder = scene.record(_store(scene), "--max-memory", str(limit), "--metrics", f"127.0.0.1:{port}")
    recorder.reads(agent.known)
    sent = 0
    while not any('reason="shed"' in name and value > 0 for name, value in figures_at(port).items()):
        agent.asks()
        sent += 1
        time.sleep(_PAUSE_S)
    for _ in range(calls):
        agent.asks()
        time.sleep(_PAUSE_S)
    agent.ends()
    said = recorder.ends()
    with stored(_store(scene)) as store:
        assert store is not None
        [session] = [row for _, row in store.scan(SESSIONS)]
        found = Healths(store).of(session)
        assert sent + calls == _ran(store, "/bin/echo"), "metadata is recorded"
        kinds = {entry.reason for entry in found.losses}
    assert Reason.SHED in kinds, said
    assert recorder.process.returncode in (0, 1), said
    assert "nothing is missing" not in said, said
    yield Figure("shed", f"of {sent + calls} tools of calls with large prompts, seen", f"{sent + calls}", "all", True)
    yield Figure("shed", "said in the session", "contents were shed", "said", True)


@contextmanager
def recording(scene: Scene) -> Generator[Recorder]:
    """A recorder of the scene, which is ended in order."""
    recorder = scene.record(_store(scene))
    yield recorder
    if recorder.process.poll() is None:
        recorder.ends()


def _store(scene: Scene) -> Path:
    return scene.directory / "machine.lmdb"


def _settled(recorder: Recorder) -> Taken:
    """What it takes once nothing of its start goes on, such as the removal of probes, of which each takes up to 0.1 s."""
    looks = [taken(recorder.pid)]

    def alike() -> bool:
        time.sleep(0.5)
        looks.append(taken(recorder.pid))
        return len(looks) > 16 and len({look.handles for look in looks[-17:]}) == 1

    until(alike)
    return looks[-1]


def _calls(scene: Scene, path: Path | None = None) -> int:
    """The calls with their answers that are in the store now."""
    with stored(path or _store(scene)) as store:
        return 0 if store is None else sum(row.status == "complete" for _, row in store.scan(CALLS))


def _asks(scene: Scene, agent: Agent, before: int, path: Path | None = None) -> int:
    """Two calls, which are stored then: `before` were. Returns how many there are."""
    for _ in range(2):
        agent.asks()
    until(lambda: _calls(scene, path) == before + 2)
    return before + 2


def _asks_until(agent: Agent, condition: Callable[[], bool]) -> int:
    """Call after call until it is so; how many."""
    count = 0

    def asked() -> bool:
        nonlocal count
        if condition():
            return True
        agent.asks()
        count += 1
        return False

    until(asked)
    return count


def _asks_for(agent: Agent, seconds: float) -> int:
    """Call after call for so long; how many."""
    until_s, count = time.monotonic() + seconds, 0
    while time.monotonic() < until_s:
        agent.asks()
        count += 1
    return count


def _took(agent: Agent) -> float:
    begun_s = time.monotonic()
    agent.asks()
    return time.monotonic() - begun_s


def _many_programs(scene: Scene, count: int) -> str:
    """A tool that starts /bin/true so often."""
    numbers = scene.directory / f"numbers-{count}"
    numbers.write_text("x\n" * count)
    return f"/usr/bin/xargs -a {numbers} -n 1 /bin/true"


def _ran(store: LmdbStore, program: str) -> int:
    return sum(row.argv[:1] == (program,) for row in rows_of(store, PROCESSES))


def _lost(store: LmdbStore) -> int:
    return sum(entry.count for _, entry in store.scan(LOSSES) if not entry.reason.intended)


def _memory(seen: Taken) -> str:
    return f"{seen.anonymous / MEGA:.0f} + {seen.tables / MEGA:.0f} MB"


def _is_below(seen: Taken, megabytes: int) -> bool:
    return seen.anonymous + seen.tables <= megabytes * MEGA
