"""How long a run waits for what may come."""

from __future__ import annotations

import pytest

from agentsight_rx.core.reading import Patience


def test_what_does_not_come_is_waited_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("agentsight_rx.core.reading.time.monotonic", lambda: now[0])
    patience = Patience(0.01, 0.05)
    waits = [patience.seconds()]
    now[0] += 0.2
    waits.append(patience.seconds())
    now[0] += 0.1
    waits.append(patience.seconds())
    patience.came()
    waits.append(patience.seconds())
    assert waits == [0.01, 0.01, 0.05, 0.01]
