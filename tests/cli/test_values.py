from __future__ import annotations

import pytest

from agentsight_rx.cli.values import bytes_of, one_of, placement_of, retention_of, seconds_of, socket_of
from agentsight_rx.errors import UsageError
from agentsight_rx.store.log.upkeep import Retention


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 << 30), ("1.5GiB", 3 << 29), ("500M", 500 << 20), ("1mb", 1 << 20), ("1t", 1 << 40)]
)
def test_a_size_is_a_number_and_a_unit(text: str, size: int) -> None:
    assert size == bytes_of(text, "--max-size")


@pytest.mark.parametrize("text", ["", "2 apples", "-1GB", "1024", "900k", "GB", "2GBB"])
def test_what_is_no_size_says_what_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"--max-size .*: a size of at least 1MB is expected, such as 500MB or 2GB"):
        bytes_of(text, "--max-size")


def test_days_are_a_duration() -> None:
    assert seconds_of("14d", "--keep") == 14 * 86_400


def test_limits_of_a_store_are_age_and_size() -> None:
    assert Retention(keep_ms=14 * 86_400_000, most_bytes=2 << 30) == retention_of("14d", "2GB")
    assert Retention(keep_ms=1000) == retention_of("1s", None)
    assert retention_of(None, None, stored=False) is None


def test_limits_without_a_store_are_an_error() -> None:
    with pytest.raises(UsageError, match="give --db too"):
        retention_of("14d", None, stored=False)


def test_a_placement_is_one_of_those_that_there_are() -> None:
    assert ["cheap", "entry"] == [placement_of("cheap"), placement_of("entry")]
    with pytest.raises(UsageError, match="--probe-placement 'start' is no placement; give cheap or entry"):
        placement_of("start")


def test_an_address_and_a_port() -> None:
    assert ("127.0.0.1", 9464) == socket_of("9464", "--metrics") == socket_of(":9464", "--metrics")
    assert ("::1", 1) == socket_of("[::1]:1", "--metrics")
    assert ("localhost", 0) == socket_of("localhost:0", "--metrics")
    assert ("0.0.0.0", 80) == socket_of("0.0.0.0:80", "--metrics", remote=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an address and a port are expected"),
        ("127.0.0.1", "an address and a port are expected"),
        ("127.0.0.1:65536", "an address and a port are expected"),
        ("example:80", "'example' is no address"),
        ("0.0.0.0:80", "other machines could read it"),
    ],
)
def test_a_socket_that_is_none_or_open_to_others_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        socket_of(text, "--metrics")


def test_a_wrong_name_is_answered_with_the_known_ones() -> None:
    assert "cpu" == one_of("--sort", "cpu", ("cpu", "rss"))
    with pytest.raises(UsageError, match=r"--sort size is not known; there are cpu, rss"):
        one_of("--sort", "size", ("cpu", "rss"))
