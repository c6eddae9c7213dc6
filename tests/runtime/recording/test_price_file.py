from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from agentsight_rx.errors import UsageError
from agentsight_rx.events import Usage
from agentsight_rx.runtime.recording.price_file import load_prices


def test_the_prices_of_a_file_are_used(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('["m"]\ninput = 2\noutput = 3\n')
    found = load_prices(file).cost_of(None, "m", Usage(1_000_000, 1_000_000), time_ms=0)
    assert found is not None
    assert (Decimal(5), str(file)) == (found.usd, found.by)


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file"):
        load_prices(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff", "not UTF-8 text: invalid start byte at byte 0"), (b"#" * (1 << 20) + b"#", "larger than 1 MiB")],
)
def test_a_file_that_is_no_text_or_too_long_is_a_clear_error(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "prices"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        load_prices(file)


def test_the_file_that_the_page_shows_is_usable(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "prices.md").read_text()
    for kind in ("toml", "json"):
        file = tmp_path / f"prices.{kind}"
        file.write_text(page.partition(f"```{kind}\n")[2].partition("```")[0])
        found = load_prices(file).cost_of(None, "my-model-2", Usage(1_000_000), time_ms=0)
        assert found is not None
        assert Decimal("1.25") == found.usd
