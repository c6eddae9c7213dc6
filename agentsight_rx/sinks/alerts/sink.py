"""AlertRow -> deliveries, each on a thread of its own behind a bounded queue: at the 1st, 10th, 100th, 1,000th deed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from ...core.bounded import Recent
from ...core.messages import say
from ...core.sink import Sink
from ...events.loss import Ledger, Meter, Reason
from ...view import AlertRow, Output
from ...view.snapshot.schema import value_of

__all__ = ["Deliver", "Delivery", "alerts"]

_WAITING_MOST = 100  # alerts of one delivery; a person reads none of more
_ALERTS_MOST = 4096  # as the guard has
_END_S = 5.0  # for which the end of a run waits for a delivery
_RANKS = {"note": 0, "warn": 1, "stop": 2}

Deliver: TypeAlias = Callable[[Mapping[str, object]], None]  # raises where it could not be delivered


class Delivery(Struct, frozen=True):
    """One destination: its name in the ledger, the least level, and what delivers an alert as a value of JSON."""

    name: str
    level: str
    deliver: Deliver


def alerts(deliveries: Sequence[Delivery], stopped: Callable[[AlertRow], None] | None = None) -> Sink[Output]:
    """
    Deliver alerts, at the 1st, 10th, 100th and 1,000th deed of one. What a delivery cannot take is counted under its name, and
    nothing waits for it. `stopped` is called at once with the first of each alert that says stop.
    """
    return Sink("alerts", lambda ledger: _AlertsWriter(deliveries, stopped, ledger))


class _AlertsWriter:
    def __init__(self, deliveries: Sequence[Delivery], stopped: Callable[[AlertRow], None] | None, ledger: Ledger) -> None:
        self._queues = [_Queue(each, ledger.meter(f"deliver {each.name}")) for each in deliveries]
        self._stopped = stopped
        self._delivered: Recent[str, int] = Recent(_ALERTS_MOST)  # by alert, the step that was reached

    def write(self, batch: Sequence[Output], /) -> None:
        for row in batch:
            if isinstance(row, AlertRow) and row.do != "note" and row.part_of is None:
                self._take(row)

    def _take(self, row: AlertRow) -> None:
        step = row.reports
        before = self._delivered.get(row.id, 0)
        if step <= before:
            return
        self._delivered.put(row.id, step)
        if row.do == "stop" and not before and self._stopped is not None:
            self._stopped(row)
        value = {**value_of(row), "name": row.name}
        for each in self._queues:
            if _RANKS[row.do] >= _RANKS[each.delivery.level]:
                each.put(value)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        until = time.monotonic() + _END_S
        for each in self._queues:
            each.close(max(0.0, until - time.monotonic()))


class _Queue:
    """What waits for one delivery. Its counts are changed under a lock: of the writer, and of the thread that delivers."""

    def __init__(self, delivery: Delivery, meter: Meter) -> None:
        self.delivery = delivery
        self._meter = meter
        self._waiting: queue.Queue[Mapping[str, object] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._reported = False
        self._left = 0  # that were put, and neither delivered nor counted as lost
        self._thread = threading.Thread(target=self._run, name=f"deliver:{delivery.name}", daemon=True)
        self._thread.start()

    def put(self, value: Mapping[str, object]) -> None:
        with self._lock:
            self._meter.seen += 1
            if self._left >= _WAITING_MOST:
                self._meter.lose(Reason.QUEUE_FULL, 1)
                return
            self._left += 1
        self._waiting.put(value)

    def _run(self) -> None:
        while (value := self._waiting.get()) is not None:
            failed: Exception | None = None
            try:
                self.delivery.deliver(value)
            except Exception as error:  # whatever the destination does
                failed = error
            with self._lock:
                if not self._left:
                    return  # given up
                self._left -= 1
                if failed is None:
                    self._meter.passed += 1
                else:
                    self._meter.lose(Reason.SINK_FAILED, 1)
            if failed is not None and not self._reported:
                self._reported = True
                say(f"alerts are not delivered by {self.delivery.name}: {failed}; what it does not take is counted")

    def close(self, timeout_s: float) -> None:
        self._waiting.put(None)
        self._thread.join(timeout_s)
        with self._lock:
            if self._left:
                self._meter.lose(Reason.SINK_FAILED, self._left)
                say(f"{self._left} alerts were not delivered by {self.delivery.name} before the end")
                self._left = 0
