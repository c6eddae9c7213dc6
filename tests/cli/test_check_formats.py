"""The alerts of a check as text, JSON, Markdown, SARIF and JUnit."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import msgspec
from msgspec.structs import replace

from agentsight_rx.cli.check import FORMATS, Checked
from agentsight_rx.policy.rules.guard.file import read_rules
from agentsight_rx.view import AlertRow

ROW = AlertRow("alert-1", 1, "new-host", "warn", "curl spoke to a", "a", number=1, host="a", session_id="s")
HOSTILE = "a](http://x.example) <b> `@me` #1 | *x*\x1b[31m & \ud800"


def checked(*rows: AlertRow, text: str = "") -> Checked:
    return Checked((Path("run.lmdb"),), read_rules(text, "guard.toml"), rows, len(rows), "warn")


def test_json_and_sarif_of_a_check() -> None:
    inside = replace(ROW, rule="reads-secret", target="/w/a b/.env", workspace="/w", number=2, count=4, host=None)
    found = msgspec.json.decode(FORMATS["json"](checked(ROW, inside)))
    assert (True, 2, "warn") == (found["fails"], len(found["alerts"]), found["rules"]["new-host"])
    sarif = msgspec.json.decode(FORMATS["sarif"](checked(replace(ROW, do="note"), inside, text='[rule.loop]\ndo = "off"')))
    (run,) = sarif["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert "2.1.0" == sarif["version"]
    assert [{"level": "none", "enabled": False}] == [rule["defaultConfiguration"] for rule in rules if rule["id"] == "loop"]
    first, second = run["results"]
    assert ("note", "warning", 4) == (first["level"], second["level"], second["occurrenceCount"])
    assert [each["ruleId"] for each in run["results"]] == [rules[each["ruleIndex"]]["id"] for each in run["results"]]
    uris = [each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"]]
    assert [".", "a%20b/.env"] == uris


def test_markdown_of_captured_text_is_text() -> None:
    made = FORMATS["markdown"](checked(replace(ROW, sentence=HOSTILE, prompt=HOSTILE)))
    assert "**11 rules, 1 alert; the check fails, because of --fail-on warn**" == made.splitlines()[0]
    for letter in ("](", "<b>", "@me", "http://", "\x1b"):
        assert letter not in made
    assert "No rule was broken." in FORMATS["markdown"](checked())


def test_junit_has_a_case_for_each_rule() -> None:
    hostile = replace(ROW, sentence=HOSTILE)
    suite = Xml.fromstring(
        FORMATS["junit"](checked(hostile, replace(hostile, number=2), text='[rule.loop]\ndo = "off"')).encode()
    )
    assert ("11", "1") == (suite.get("tests"), suite.get("failures"))
    failed = {
        case.get("name"): len((failure.text or "").splitlines())
        for case in suite
        if (failure := case.find("failure")) is not None
    }
    assert {"new-host": 2} == failed
    assert ["loop"] == [case.get("name") for case in suite if case.find("skipped") is not None]
