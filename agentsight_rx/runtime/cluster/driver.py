"""A plan -> all of its tasks done: in this process, or by the workers of Dask, each key in order and the keys side by side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from msgspec import Struct

from ...core.errors import AgentsightError, SpoolError, UsageError
from ...store.spool import segment_name
from .job import Done, Task, segment
from .plan import Plan

Job = Callable[[Task], Done]

_CONFIG = {
    "distributed.deploy.lost-worker-timeout": "365d",  # else one that is being started again is closed for ever
    # nothing here looks at these: each takes CPU as long as a run lasts
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.scheduler.work-stealing": False,
}
_STARTS = 3  # of a cluster of this machine
_LOOK_S = 5.0  # without a result: is anything there that works?
_WITHOUT_S = 120.0  # a scheduler without a worker
_QUIET = ("distributed", "distributed.nanny", "distributed.worker", "distributed.scheduler", "distributed.client", "tornado")


class Progress(Struct):
    """How far a run is; `seconds` are the seconds of the workers' processors."""

    total: int
    done: int = 0
    doubled: int = 0  # another attempt had committed it
    items: int = 0
    seconds: float = 0.0
    skipped: list[str] = []  # segments of which nothing was read, with the reasons

    def add(self, done: Done) -> None:
        self.done += 1
        self.doubled += not done.fresh
        self.seconds += done.seconds
        if done.skipped:
            self.skipped.append(f"{done.key}/{segment_name(done.sequence)}: {done.skipped}")


def run_here(plan: Plan, report: Callable[[Progress], None], *, job: Job = segment) -> Progress:
    """One after the other, in this process."""
    progress = Progress(plan.left)
    for tasks in plan.tasks.values():
        for task in tasks:
            progress.add(job(task))
            report(progress)
    return progress


def run_on_dask(
    plan: Plan, report: Callable[[Progress], None], *, workers: int = 2, scheduler: str | None = None, job: Job = segment
) -> Progress:
    """
    On `scheduler` (an address), else on so many workers of this machine: processes that are started anew when one dies. A task
    whose worker dies is given to another one. Raises SpoolError where the scheduler or too many workers die; committed segments
    are not done again.
    """
    progress = Progress(plan.left)
    dask = _dask()
    with _client(dask, workers, scheduler) as client:
        again = "run the same command again: it goes on behind the {} segments that are committed"
        try:
            for done in _results(dask, client, plan, job):
                progress.add(done)
                report(progress)
        except AgentsightError:
            raise
        except Exception as error:  # the errors of Dask have no common type, and CancelledError says little
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise SpoolError(f"the cluster failed ({reason}): {again.format(plan.done + progress.done)}") from error
    return progress


def _results(dask: Any, client: Any, plan: Plan, job: Job) -> Iterator[Done]:
    """One task of each key at a time, since each goes on from the one before."""
    waiting = {key: iter(tasks) for key, tasks in plan.tasks.items()}
    running: dict[Any, str] = {}

    def submit(key: str) -> None:
        task = next(waiting[key], None)
        if task is not None:  # not pure: a run that is repeated has the same tasks, and asks for them anew
            running[client.submit(job, task, pure=False, retries=2, priority=-task.sequence)] = key

    for key in sorted(plan.tasks, key=lambda key: -len(plan.tasks[key])):  # what takes longest begins first
        submit(key)
    without_s = 0.0
    while running:
        try:
            finished: set[Any] = dask.wait(list(running), timeout=_LOOK_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            without_s = 0.0 if client.nthreads() else without_s + _LOOK_S
            if without_s >= _WITHOUT_S:
                raise RuntimeError(f"it has had no worker for {without_s:.0f} s") from None
            continue
        for future in finished:
            done: Done = future.result()
            submit(running.pop(future))
            yield done


def _dask() -> Any:
    """The module `distributed`, which has no types."""
    try:
        found = import_module("distributed")
    except ImportError as error:
        raise UsageError("this needs Dask: install agentsight-rx[cluster], or give --workers 0 for this process") from error
    import_module("dask").config.set(_CONFIG)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return found


@contextmanager
def _client(dask: Any, workers: int, scheduler: str | None) -> Generator[Any]:
    if scheduler is not None:
        try:
            client = dask.Client(scheduler, timeout="20s")
        except (OSError, ValueError) as error:
            raise SpoolError(f"--scheduler {scheduler} does not answer: {error}") from error
        with client:
            yield client
        return
    cluster = _started(dask, workers)
    with cluster, dask.Client(cluster) as client:
        yield client


def _started(dask: Any, workers: int) -> Any:
    """A cluster of this machine; a worker that dies while it starts fails all of it, so another one is tried."""
    for left in reversed(range(_STARTS)):
        try:
            return dask.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # it serves its state all the same; else 8787, once
                silence_logs=logging.CRITICAL,
            )
        except Exception as error:  # RuntimeError, OSError, TimeoutError and errors of Dask's own
            if not left:
                raise SpoolError(f"{workers} workers could not be started ({error}): run the same command again") from error
    raise AssertionError("it returns or raises")
