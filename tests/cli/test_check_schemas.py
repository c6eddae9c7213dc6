"""
The formats of a check against what their readers publish: SARIF against the schema of OASIS, from which pydantic-sarif is
generated, the workflows of docs/ci.md against the schemas of GitHub and GitLab that check-jsonschema brings. No package has a
schema of JUnit's XML, so its structure is compared with what Jenkins' junit-10.xsd asks for, which GitLab reads too.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from agentsight_rx.cli.check import FORMATS, Checked
from agentsight_rx.policy.rules.guard.file import built_in_rules, read_rules
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.runtime.recording.judged import judged
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AlertRow
from tests.cli.test_check_formats import HOSTILE, ROW
from tests.guarded import leaking, stored

# which has no types
SARIF: Any = import_module("pydantic_sarif.model").StaticAnalysisResultsFormatSarifVersion210JsonSchema
PAGE = (Path(__file__).parents[2] / "docs" / "ci.md").read_text()
RULES = read_rules('[rule.loop]\ndo = "off"\n[rule.mine]\nwhen = "event=file"\ndo = "stop"', "guard.toml")
TEXT = HOSTILE.replace("\ud800", "")  # a half of a character is in no recording
HOSTILE_ROW = replace(ROW, sentence=TEXT, target=f"/w/{TEXT}", workspace="/w", rule="mine", do="stop", session_id=None)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[AlertRow]:
    store = LmdbStore.open(stored(tmp_path_factory.mktemp("store") / "run.lmdb", leaking().events), readonly=True)
    try:
        return judged(store, built_in_rules())
    finally:
        store.close()


def made(form: str, rules: Rules, *rows: AlertRow) -> str:
    return FORMATS[form](Checked((Path("run.lmdb"),), rules, rows, len(rows), "warn"))


def test_sarif_is_as_oasis_has_it(rows: list[AlertRow]) -> None:
    assert 4 == len(rows)
    for text in (made("sarif", built_in_rules(), *rows), made("sarif", RULES, HOSTILE_ROW, ROW), made("sarif", RULES)):
        SARIF.model_validate_json(text)
    wrong = json.loads(made("sarif", built_in_rules(), *rows))
    wrong["runs"][0]["results"][0]["levle"] = "warning"
    with pytest.raises(ValidationError, match="levle"):
        SARIF.model_validate(wrong)


# -- JUnit -------------------------------------------------------------------------------------------------------------

ATTRIBUTES = {"testsuite": {"name", "tests", "failures", "errors", "skipped"}, "testcase": {"name", "classname"}}


@pytest.mark.parametrize("given", [(), (ROW,), (HOSTILE_ROW, replace(ROW, number=2), ROW)])
def test_junit_is_as_its_readers_want_it(given: tuple[AlertRow, ...]) -> None:
    suite = Xml.fromstring(made("junit", RULES, *given).encode())
    assert ("testsuite", ATTRIBUTES["testsuite"]) == (suite.tag, set(suite.keys()))
    cases = list(suite)
    assert {"testcase"} == {case.tag for case in cases}
    assert all(ATTRIBUTES["testcase"] == set(case.keys()) for case in cases)
    results = [case[0].tag for case in cases if len(case)]
    assert all(len(case) <= 1 for case in cases)  # one of failure, error and skipped
    assert set(results) <= {"failure", "skipped"}
    counted = {"tests": len(cases), "failures": results.count("failure"), "errors": 0, "skipped": results.count("skipped")}
    assert counted == {name: int(suite.get(name) or "") for name in counted}
    assert all(set(case[0].keys()) == {"type", "message"} for case in cases if len(case) and case[0].tag == "failure")


# -- the workflows of the page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("title", "schema"), [("GitHub Actions", "github-workflows"), ("GitLab CI", "gitlab-ci")])
def test_a_workflow_is_as_its_service_wants_it(title: str, schema: str) -> None:
    yaml: Any = import_module("ruamel.yaml").YAML(typ="safe")  # which check-jsonschema needs
    found = re.search(rf"## {title}\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    workflow = yaml.load(found[1])
    known = json.loads((files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{schema}.json").read_text())
    validator: Any = jsonschema.Draft7Validator(known)
    validator.validate(workflow)
    next(iter(workflow["jobs"].values()) if "jobs" in workflow else iter(workflow.values()))["artefacts"] = ["x"]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(workflow)
