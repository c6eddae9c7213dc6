"""docs/performance.md says what docs/performance.json says; both are made by one command."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from benchmarks.bench import as_json, read_report
from benchmarks.figures import Figure, Report
from benchmarks.page import filled, parts
from benchmarks.plots import PICTURES, draw, main
from benchmarks.reasons import reason_for

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "performance.md").read_text()


@pytest.fixture(scope="module")
def report() -> Report:
    return read_report(DOCS / "performance.json")


def test_the_tables_are_those_of_the_stored_report(report: Report) -> None:
    assert filled(PAGE, report) == PAGE, "run python -m benchmarks.plots"
    assert set(re.findall(r"<!-- (\w+): made by", PAGE)) == parts(report).keys()


def test_every_figure_of_the_report_has_a_name_of_its_own(report: Report) -> None:
    keys = [figure.key for figure in report.figures]
    assert len(set(keys)) == len(keys)


def test_every_target_that_is_missed_has_a_reason(report: Report) -> None:
    assert [] == [each.key for each in report.figures if each.met is False and "not known" in reason_for(each)]


def test_the_page_has_every_picture(report: Report) -> None:
    linked = set(re.findall(r"\(performance/(\w+)\.svg\)", PAGE))
    assert linked == PICTURES.keys()
    assert {path.stem for path in (DOCS / "performance").iterdir()} == linked


def some_figures() -> tuple[Figure, ...]:
    points = ((1.0, 2.0), (8.0, 3.0))
    return (
        Figure(group="graph", name="graph to parse only | 64", value=9.0, target=4.5, points=points),
        Figure(group="growth", name="in events", value=1.0, unit="n^", target=1.1, points=points),
        Figure(group="memory", name="after churn", value=3.0, unit="MB", target=100.0, points=points),
        Figure(group="operators", name="+ merge: added, to parse only", value=0.4),
        Figure(group="tls", name="fastest rate", value=150.0, unit="MB/s", target=300.0, at_least=True),
        Figure(group="stacks", name="bcc's sslsniff: curl", value=15.0, unit="µs"),
        Figure(group="idle", name="processor", unit="%", note="needs root", target=0.5),
    )


def test_pictures_are_drawn_of_what_was_measured_and_the_same_each_time(report: Report, tmp_path: Path) -> None:
    made = replace(report, figures=some_figures())
    first = {path.stem: path.read_bytes() for path in draw(made, tmp_path)}
    assert first.keys() == PICTURES.keys()
    assert {path.stem: path.read_bytes() for path in draw(made, tmp_path)} == first
    assert all(ElementTree.fromstring(each).tag.endswith("svg") for each in first.values())
    assert [] == draw(replace(report, figures=()), tmp_path)


def test_a_page_is_filled_again_from_another_report(report: Report, tmp_path: Path) -> None:
    (tmp_path / "performance.json").write_bytes(as_json(replace(report, figures=some_figures(), quick=True)))
    (tmp_path / "performance.md").write_text(PAGE)
    assert main([str(tmp_path)]) == 0
    page = (tmp_path / "performance.md").read_text()
    assert r"| graph to parse only \| 64 | 9.00x | &lt;= 4.50x | no |  |  |" in page
    assert "- **fastest rate** (150.0 MB/s, target &gt;= 300.0 MB/s). The engine needs" in page
    assert "| processor | not measured | &lt;= 0.50% |  | needs root |" in page
    assert "small sizes (`--quick`)" in page
    assert page.startswith("# Performance\n")
    assert page.rstrip().endswith("<!-- end -->")
