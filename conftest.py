"""
Three workers share the suite of two processors (test.sh): tests that trace programs or open a browser leave half of their time
to others. So files of such tests are spread among the others, and a worker takes one whole file after the other: what its tests
share is started once. No example of a property has a deadline: how long one takes depends on what else the machine does.

A usual run has a tenth of the examples of each property, and leaves out the tests that are marked as thorough: they repeat
what others show, for one more program, cell or build. --all has all of both, before a release. --quick is for the loop of a
change: it also leaves out the tests that are marked as slow.

tests/needs.py decides what a machine or a user without rights leaves out; --all-required lets nothing be left out.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable, Iterator

import pytest
from hypothesis import settings

# property_tests/quick.py says what numbers of a property become with the last two
settings.register_profile("all", deadline=None)
settings.register_profile("usual", deadline=None, max_examples=10)
settings.register_profile("the same each time", deadline=None, max_examples=20, derandomize=True)  # for ./test.sh --coverage
settings.load_profile("usual")

_WAITING = 0.8  # the share of the run in which files whose tests wait begin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="no test that is marked as slow")
    parser.addoption(
        "--all", action="store_true", help="all examples of each property, and the tests that are marked as thorough"
    )
    parser.addoption("--all-required", action="store_true", help="a test that would be left out fails")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(what, …): rights and programs, see tests/needs.py")
    if config.getoption("--all") and not config.getoption("--hypothesis-profile"):
        settings.load_profile("all")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    from property_tests.quick import with_fewer_examples
    from tests.thorough import mark_thorough

    mark_thorough(items)
    if not config.getoption("--all"):
        late = ("slow", "thorough") if config.getoption("--quick") else ("thorough",)
        left = {item for item in items if any(map(item.get_closest_marker, late))}
        config.hook.pytest_deselected(items=[*left])
        items[:] = [item for item in items if item not in left]
        with_fewer_examples(items)
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    if config.getoption("loadgroup", default=False):  # in a worker
        items[:] = _spread(items)


def _spread(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Groups whose tests wait among the others, of which a part comes last, so that no long one ends alone; long ones first."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault("_".join(str(mark.args[0]) for mark in item.iter_markers("xdist_group")), []).append(item)
    waiting: list[list[pytest.Item]] = []
    busy: list[list[pytest.Item]] = []
    for group in sorted(groups.values(), key=lambda group: (not _any(group, "slow"), -len(group))):
        (waiting if _any(group, "live", "browser") else busy).append(group)
    places = [((number + 1) / len(busy), group) for number, group in enumerate(busy)]
    places += [(_WAITING * number / len(waiting), group) for number, group in enumerate(waiting)]
    for _, group in sorted(places, key=lambda place: place[0]):
        yield from group


def _any(group: Iterable[pytest.Item], *markers: str) -> bool:
    return any(item.get_closest_marker(marker) for item in group for marker in markers)


class _NamesFailures:
    """Each failed test by its name at once: a run that is cut off has told it."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    @pytest.hookimpl(trylast=True)  # behind its letter
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._reporter.ensure_newline()
            self._reporter.line(f"failed: {report.nodeid}")


def pytest_sessionstart(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, pytest.TerminalReporter):  # a worker of pytest-xdist has none
        session.config.pluginmanager.register(_NamesFailures(reporter))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # thousands of tests live until the end: no look for garbage has to walk through them


@pytest.hookimpl(tryfirst=True)  # before fixtures; a worker asks for what its own tests need
def pytest_runtest_setup(item: pytest.Item) -> None:
    from tests.needs import skip_where_lacking

    skip_where_lacking(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    from tests.needs import refuse_to_skip

    report = yield
    return refuse_to_skip(report) if item.config.getoption("--all-required") else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    from tests.needs import refuse_to_skip

    report = yield
    return refuse_to_skip(report) if collector.config.getoption("--all-required") else report


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from tests.needs import left_out

    for line in left_out(terminalreporter.getreports("skipped")):
        terminalreporter.line(line)
