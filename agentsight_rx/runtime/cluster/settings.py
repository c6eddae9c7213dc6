"""A place for output -> what holds for all that is made there: the key of labels, chosen by the first run."""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from ...core.errors import SpoolError
from ...graphs import TraceOptions
from ...policy.rules.guard.values import Rules
from ..recording.guard_file import priced_by
from ..recording.price_file import load_prices
from .place import Place

__all__ = ["SETTINGS", "Settings", "settings_of"]

SETTINGS = "settings.json"
_FORMAT = 1


class Settings(Struct, frozen=True, kw_only=True):
    """What a job needs beside its segment. `redaction_key` (hex): a secret that is only found here has one label everywhere."""

    format: int = _FORMAT
    redaction_key: str
    sse_timeout: float = 30.0
    guard: Rules | None = None  # the rules whose alerts are in the result

    def options(self, host: str) -> TraceOptions:
        """The graph of a job."""
        return TraceOptions(
            redaction_key=bytes.fromhex(self.redaction_key),
            sse_timeout=self.sse_timeout,
            host=host,
            guard=self.guard,
            priced=None if self.guard is None else priced_by(load_prices(None), self.guard),
        )


def settings_of(out: Place, *, redaction_key: bytes | None = None, guard: Rules | None = None) -> Settings:
    """
    The settings of an earlier run, else new ones. Raises SpoolError where the place has something else, another key, or other
    rules of a guard.
    """
    kept = out.read(SETTINGS)
    if kept is None:
        made = Settings(redaction_key=(redaction_key or os.urandom(32)).hex(), guard=guard)
        out.create(SETTINGS, msgspec.json.encode(made))
        kept = out.read(SETTINGS) or b""
    try:
        found = msgspec.json.decode(kept, type=Settings)
    except msgspec.MsgspecError as error:
        raise SpoolError(f"{out.url}/{SETTINGS} is not of `cluster run` ({error}): give an empty folder by --out") from error
    if found.format > _FORMAT:
        raise SpoolError(f"{out.url} was made by a newer release (format {found.format}): use that one, or another --out")
    if redaction_key is not None and found.redaction_key != redaction_key.hex():
        raise SpoolError(f"{out.url} was begun with another key of labels: leave the key out, or give an empty folder by --out")
    if guard is not None and found.guard != guard:
        raise SpoolError(
            f"{out.url} was begun {'with other rules' if found.guard else 'without a guard'}: leave --guard out, "
            "or give an empty folder by --out"
        )
    return found
