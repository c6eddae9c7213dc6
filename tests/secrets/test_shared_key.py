"""Under a shared key the labels of equal secrets agree on all hosts; without one they do not."""

from __future__ import annotations

import re
from pathlib import Path

from agentsight_rx.graphs import TraceOptions
from agentsight_rx.runtime.cluster import Shipper, place_of
from agentsight_rx.store.spool import SpoolOptions, read_segment
from tests.secrets.matrix import planted, spooled
from tests.secrets.places import Captured

_LABEL = re.compile(r"\[redacted:[a-z-]+:[0-9a-f]{8}\]")


def labels(captured: Captured, folder: Path, host: str, *, key: bytes) -> set[str]:
    """The labels in what this host has shipped."""
    spooled(captured, TraceOptions(redaction_key=key), SpoolOptions(str(folder / host), host))
    to = folder / "to"
    to.mkdir(exist_ok=True)
    Shipper(folder / host, place_of(str(to))).run()
    segments = [read_segment(path.read_bytes(), host) for path in sorted((to / host).iterdir())]
    assert all(segment.header.redacted for segment in segments)
    return {label for segment in segments for batch in segment.batches() for label in _LABEL.findall(repr(batch))}


def test_hosts_with_the_same_key_have_the_same_labels_and_one_with_another_key_has_none_of_them(tmp_path: Path) -> None:
    captured = planted()
    keys = {"web1": b"k" * 32, "web2": b"k" * 32, "web3": b"x" * 32}
    web1, web2, web3 = (labels(captured, tmp_path, host, key=key) for host, key in keys.items())
    assert web1 == web2
    assert len(web1) > 9
    assert not web1 & web3
    assert len(web1) == len(web3)
