"""agentsight-rx check: recordings judged by rules, for a build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree as Xml

import msgspec
import typer
from msgspec import Struct

from ..core.errors import StoreError
from ..core.messages import harmless
from ..policy.rules.guard.values import Rule, Rules, rank, shortened
from ..runtime.recording.guard_file import priced_by
from ..runtime.recording.judged import judged_once
from ..runtime.recording.price_file import load_prices
from ..store.state import LmdbStore
from ..store.words import plural
from ..view import AlertRow
from ..view.queries.alerts import LEVELS
from ..view.snapshot.schema import value_of
from .flags.filters import Form
from .flags.guard import given_rules
from .guard.rules_list import RulesFile
from .guard.tried import needing_a_recording
from .places.stores import all_stores
from .program.errors import write_line
from .report.shown.alert_words import thread_said
from .report.shown.markdown import alert_item, shortened_to
from .values import one_of

# -- check formats -------------------------------------------------------------------------------------------------
# The alerts of a recording -> text, JSON, Markdown, SARIF 2.1.0 or JUnit XML, as builds read them.


_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"note": "note", "warn": "warning", "stop": "error"}


class Checked(Struct, frozen=True):
    """
    What recordings were judged by, and what came of it. `failing`: so many are of the level `fail_on` or above. `unjudged`: the
    rules that an agent's own file says nothing about, where one was judged.
    """

    stores: tuple[Path, ...]
    rules: Rules
    rows: tuple[AlertRow, ...]
    failing: int
    fail_on: str
    unjudged: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        alerts = sum(row.do != "note" for row in self.rows)
        notes = len(self.rows) - alerts
        found = ", ".join([plural(alerts, "alert"), *([plural(notes, "note")] if notes else [])])
        fails = f"; the check fails, because of --fail-on {self.fail_on}" if self.failing else ""
        number = plural(len(self.unjudged), "rule needs", "rules need")
        which = "which this is not" if len(self.stores) == 1 else "which the imported sessions are not"
        needing = f"; {number} a recording, {which}: {', '.join(self.unjudged)}" if self.unjudged else ""
        return f"{plural(len(self.rules.rules), 'rule')}, {found}{fails}{needing}"


def text_of(found: Checked) -> str:
    return "\n".join([*(f"{row.do}: {harmless(row.sentence)} ({row.rule}, {row.name})" for row in found.rows), found.verdict])


def json_of(found: Checked) -> str:
    value = {
        "stores": [str(path) for path in found.stores],
        "rules": {rule.name: rule.do for rule in found.rules.rules},
        "sha256": found.rules.sha256,
        "fail_on": found.fail_on,
        "fails": bool(found.failing),
        "not_judged": list(found.unjudged),
        "alerts": [value_of(row) for row in found.rows],
    }
    return msgspec.json.encode(value).decode()


def markdown_of(found: Checked) -> str:
    lines = [f"**{found.verdict}**", ""]
    lines += [alert_item(row) for row in found.rows] or ["No rule was broken."]
    return shortened_to("\n".join(lines))


def sarif_of(found: Checked) -> str:
    """https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html"""
    names = [rule.name for rule in found.rules.rules]
    driver = {
        "name": "agentsight-rx",
        "version": _version(),
        "rules": [_sarif_rule(rule) for rule in found.rules.rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(row, names.index(row.rule)) for row in found.rows],
    }
    return msgspec.json.encode({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}).decode()


def _sarif_rule(rule: Rule) -> dict[str, object]:
    text = rule.because or rule.when
    return {
        "id": rule.name,
        "shortDescription": {"text": text},
        "fullDescription": {"text": rule.means or text},
        "help": {"text": f"{rule.means or text} Misses: {rule.misses or 'not said'}"},
        "defaultConfiguration": {"level": _LEVELS.get(rule.do, "none"), "enabled": rule.do != "off"},
    }


def _sarif_result(row: AlertRow, index: int) -> dict[str, object]:
    inside = row.workspace is not None and row.target.startswith(f"{row.workspace}/")
    uri = row.target[len(row.workspace or "") + 1 :] if inside else "."
    printed = sha256(f"{row.rule}\0{shortened(row.target)}".encode("utf-8", "surrogatepass")).hexdigest()
    return {
        "ruleId": row.rule,
        "ruleIndex": index,
        "level": _LEVELS[row.do],
        "message": {"text": f"{row.sentence}. {thread_said(row)}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(uri)}},
                "logicalLocations": [{"fullyQualifiedName": shortened(row.target), "kind": "resource"}],
            }
        ],
        "occurrenceCount": row.count,
        "partialFingerprints": {"target/v1": printed},
        "properties": {"alert": row.name, "session": row.session_id, "proven": row.proven, "evidence": list(row.evidence)},
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path.encode("utf-8", "surrogatepass"))


def junit_of(found: Checked) -> str:
    """A case for each rule, which fails by its alerts."""
    by_rule: dict[str, list[AlertRow]] = {}
    for row in found.rows:
        by_rule.setdefault(row.rule, []).append(row)
    rules = found.rules.rules
    skipped = {*found.unjudged, *(rule.name for rule in rules if rule.do == "off")} - by_rule.keys()
    counts = {"tests": len(rules), "failures": len(by_rule), "errors": 0, "skipped": len(skipped)}
    suite = Xml.Element("testsuite", {"name": "agentsight-rx check", **{name: str(count) for name, count in counts.items()}})
    for rule in found.rules.rules:
        case = Xml.SubElement(suite, "testcase", classname="guard", name=rule.name)
        rows: Sequence[AlertRow] = by_rule.get(rule.name, ())
        if rule.name in skipped:
            Xml.SubElement(case, "skipped")
        elif rows:
            failure = Xml.SubElement(case, "failure", type=rows[0].do, message=_plain(rows[0].sentence))
            failure.text = "\n".join(_plain(f"{row.sentence} ({row.name}) {thread_said(row)}") for row in rows)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(suite, encoding="unicode")}'


def _plain(text: str) -> str:
    """XML 1.0 has no control characters and no halves of characters."""
    return "".join(letter for letter in harmless(text) if letter >= " " and not 0xD800 <= ord(letter) <= 0xDFFF)


def _version() -> str:
    try:
        return metadata.version("agentsight-rx")
    except metadata.PackageNotFoundError:
        return "unknown"


FORMATS: dict[str, Callable[[Checked], str]] = {
    "text": text_of,
    "json": json_of,
    "markdown": markdown_of,
    "sarif": sarif_of,
    "junit": junit_of,
}


# ------------------------------------------------------------------------------------------------------------------------


_NEVER = "never"


def check(
    *,
    stores: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[STORE]...", help="Recordings; without one, all of yours."),
    ] = None,
    rules: RulesFile = None,
    fail_on: Annotated[
        str, typer.Option("--fail-on", help="Exit with 1 from this level on: note, warn, stop, or never.", metavar="LEVEL")
    ] = "warn",
    format: Annotated[str, typer.Option("--format", help="text, json, markdown, sarif or junit.", metavar="FORMAT")] = "text",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Into this file.", metavar="FILE")] = None,
    form: Form,
) -> int:
    """
    Judge recordings by rules, for a build: exits with 1 where one is broken.

    The rules are judged anew, whether a recording was made with a guard or not. Each recording is judged by itself: what a day
    cost is not summed up over several. A session in two of them has each alert once, and a recording counts before a file.
    """
    one_of("--fail-on", fail_on, (*LEVELS, _NEVER))
    chosen = one_of("--format", "json" if form.as_json else format, FORMATS)
    for store in stores or ():
        if not store.exists():
            raise StoreError(f"{store} does not exist; expected a recording, as `record --db {store} -- COMMAND` makes one")
    found = given_rules(rules)
    places = tuple(stores or all_stores(None))
    with ExitStack() as opened:
        kept = [opened.enter_context(closing(LmdbStore.open(place, readonly=True))) for place in places]
        rows = judged_once(kept, found, priced=priced_by(load_prices(None), found))
        unjudged = tuple(dict.fromkeys(name for each in kept for name in needing_a_recording(each, found)))
    failing = [row for row in rows if fail_on != _NEVER and rank(row.do) >= rank(fail_on)]
    shown = tuple(row for row in rows if row.part_of is None)
    checked = Checked(places, found, rows=shown, failing=len(failing), fail_on=fail_on, unjudged=unjudged)
    text = FORMATS[chosen](checked)
    if output is not None:
        output.write_text(text + "\n")
    else:
        write_line(text)
    return 1 if failing else 0
