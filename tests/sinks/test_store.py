"""The store keeps the key of the labels, so that equal secrets of all its runs have equal labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.errors import StoreError
from agentsight_rx.events import HttpRequest, Origin
from agentsight_rx.loss import Ledger
from agentsight_rx.operators import remove_auth
from agentsight_rx.sinks import redaction_key, store

SECRET = "sk-ant-api03-Zk3uV9qLr7XwT2mB8nC4dF6gH1jK5pQs"


def recorded(path: Path) -> str:
    """The label that a run into the store at `path` gives to the secret."""
    key = redaction_key(path)
    events, out = [HttpRequest(Origin(1, 1), 1, "POST", "/", "HTTP/1.1", (), SECRET.encode())], list[HttpRequest]()
    of(events, time_of=lambda _: 1).pipe(remove_auth(key=key)).subscribe(out.append, scheduler=(engine := Engine()))
    engine.run_inline()
    writer = store(path, key=key).open(Ledger())
    writer.write(out)
    writer.close()
    return out[0].body.decode()


def test_runs_into_one_store_give_a_secret_one_label_and_other_stores_another(tmp_path: Path) -> None:
    first, second, other = recorded(tmp_path / "a.lmdb"), recorded(tmp_path / "a.lmdb"), recorded(tmp_path / "b.lmdb")
    assert first.startswith("[redacted:anthropic:")
    assert first == second
    assert first != other
    assert SECRET.encode() not in (tmp_path / "a.lmdb").read_bytes()


def test_without_a_store_each_run_has_a_key_of_its_own(tmp_path: Path) -> None:
    assert redaction_key(None) != redaction_key(None)
    assert len(redaction_key(tmp_path / "not there yet")) == 32


def test_a_file_that_is_not_a_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no store at all, but a file that is needed")
    with pytest.raises(StoreError, match="not a store"):
        redaction_key(path)
    assert path.read_text().startswith("no store")
