"""agentsight-rx check: a recording judged by rules, for a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import StoreError, UsageError
from ..policy.rules.guard.values import rank
from ..runtime.recording.guard_file import priced_by
from ..runtime.recording.judged import judged
from ..runtime.recording.price_file import load_prices
from ..store.state import LmdbStore
from ..view.queries.alerts import LEVELS
from .check_formats import FORMATS, Checked
from .flags.form import Form
from .flags.guard import given_rules
from .guard.rules_list import RulesFile
from .streams import write_line

__all__ = ["check"]

_NEVER = "never"


def check(
    *,
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The recording.")],
    rules: RulesFile = None,
    fail_on: Annotated[
        str, typer.Option("--fail-on", help="Exit with 1 from this level on: note, warn, stop, or never.", metavar="LEVEL")
    ] = "warn",
    format: Annotated[str, typer.Option("--format", help="text, json, markdown, sarif or junit.", metavar="FORMAT")] = "text",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Into this file.", metavar="FILE")] = None,
    form: Form,
) -> int:
    """
    Judge a recording by rules, for a build: exits with 1 where one is broken.

    The rules are judged anew, whether the recording was made with a guard or not.
    """
    if fail_on not in (*LEVELS, _NEVER):
        raise UsageError(f"--fail-on {fail_on} is not known; there are {', '.join((*LEVELS, _NEVER))}")
    chosen = "json" if form.as_json else format
    if chosen not in FORMATS:
        raise UsageError(f"--format {chosen} is not known; there are {', '.join(FORMATS)}")
    if not store.exists():
        raise StoreError(f"{store} does not exist; expected a recording, as `record --db {store} -- COMMAND` makes one")
    found = given_rules(rules)
    kept = LmdbStore.open(store, readonly=True)
    try:
        rows = judged(kept, found, priced=priced_by(load_prices(None), found))
    finally:
        kept.close()
    failing = [row for row in rows if fail_on != _NEVER and rank(row.do) >= rank(fail_on)]
    text = FORMATS[chosen](Checked(store, found, tuple(row for row in rows if row.part_of is None), len(failing), fail_on))
    if output is not None:
        output.write_text(text + "\n")
    else:
        write_line(text)
    return 1 if failing else 0
