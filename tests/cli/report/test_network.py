"""report network: as text and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import UsageError
from tests.cli.report.asking import text, values
from tests.cli.report.effects import effects
from tests.cli.report.story import AGENT


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return effects(tmp_path_factory.mktemp("store") / "run.lmdb")


def test_peers_hosts_and_what_could_not_be_read(store: Path) -> None:
    lines = text(store, "network")
    assert lines[1:4] == [
        " 10.0.0.1:1                            connect 1  1 Connection…            ?         ?  claude 12345",
        " 127.0.0.1:5432                        connect 1                           ?         ?  claude 12345",
        " 160.79.104.10:443  api.anthropic.com  connect 1                      9.0 kB  120.4 kB  claude 12345",
    ]
    assert lines[6].split()[:3] == ["https://api.anthropic.com", "4", "4"]
    assert lines[7].startswith("   POST /v1/messages")
    assert lines[-1] == " could not be read: uv (rustls), process 77: 3 connections, 9,000 bytes to 9.9.9.9:443"


def test_json_says_of_each_what_it_is(store: Path) -> None:
    found = values(store, "network")
    assert [value["kind"] for value in found] == ["peer", "peer", "peer", "host", "unread"]
    assert (found[3]["host"], found[3]["calls"], found[3]["paths"][0]["path"]) == ("api.anthropic.com", 4, "/v1/messages")
    assert (found[2]["names"], found[0]["errors"], found[4]["bytes"]) == (["api.anthropic.com"], 1, 9000)


def test_a_limit_is_of_each_kind(store: Path) -> None:
    assert [value["kind"] for value in values(store, "network", "-n", "1")] == ["peer", "host", "unread"]
    assert (
        text(store, "network", "-n", "1")[-1]
        == f"3 peers, 1 host; all of them: agentsight-rx report network --db {store} --all"
    )


def test_what_there_is_nothing_of_is_said(store: Path) -> None:
    assert text(store, "network", "--until", "2020-01-01") == [
        f"nothing of connections and HTTP is in {store}, as it was selected"
    ]


def test_the_pid_of_another_process_has_no_peers(store: Path) -> None:
    assert values(store, "network", "--pid", str(AGENT + 1)) == []


def test_a_wrong_time_is_an_error(store: Path) -> None:
    with pytest.raises(UsageError, match="is no time"):
        text(store, "network", "--since", "soon")
