"""The file of --prices -> the prices of a report."""

from __future__ import annotations

import datetime
from pathlib import Path

from ...core.errors import UsageError
from ...llm.prices import Prices, own_prices

_LARGEST = 1 << 20  # bytes; 20,000 models


def load_prices(file: Path | None) -> Prices:
    """
    The published prices, behind the prices in `file` where it is given. Raises UsageError where it is not usable.

    Nothing is loaded from the network; the published prices are loaded when the first cost is asked for.
    """
    return Prices(
        () if file is None else own_prices(_text(file), name=str(file)), today=datetime.datetime.now(datetime.UTC).date()
    )


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise UsageError(
            f"{file} is larger than {_LARGEST >> 20} MiB; expected a TOML or JSON file with a price for each model"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error
