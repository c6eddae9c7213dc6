"""
Each file of the product -> whether its own tests, run alone, run every line of it.

    python -m scripts.individual_coverage [FILE…]            # measures these files (all), and prints the lines left out
    python -m scripts.individual_coverage --write [FILE…]    # writes what it measured into the list
    python -m scripts.individual_coverage --moved            # measures nothing: writes the list after files were moved

tests/individual_coverage.txt lists the files that have no tests of their own (`without`), and the files whose own tests leave
out lines (`partly`). A measured file must be in the list as it is. The list may not grow.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from coverage import Coverage

from scripts.own_tests import PACKAGE, ROOT, own_tests, product_files

__all__ = ["LIST", "PARTLY", "WITHOUT", "listed", "moved", "uncovered", "wrong"]

LIST = ROOT / "tests" / "individual_coverage.txt"
WITHOUT, PARTLY = "without", "partly"
_HEAD = """\
# `without`: a file that has no tests of its own. `partly`: its own tests, run alone, leave out lines.
# This list may only shrink. python -m scripts.individual_coverage --write measures the files and writes it.
"""
_SETTINGS = f"""\
[run]
source_pkgs = {PACKAGE}
parallel = true
patch = subprocess
[report]
exclude_also =
    if TYPE_CHECKING:
    if __name__ == .__main__.:
    ^\\s*\\.\\.\\.$
"""
_PLUGINS = ("-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin", "-p", "xdist.plugin")
_NO_TEST_CHOSEN = 5  # exit status of pytest: all own tests are live


def listed() -> dict[str, str]:
    """The files of the list, with their kinds."""
    lines = [line.partition(" ") for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return {file: kind for file, _, kind in lines}


def wrong(found: Mapping[str, str], known: Mapping[str, str], measured: Iterable[str]) -> list[str]:
    """What is not as the list says, of the measured files."""
    lines: list[str] = []
    for file in measured:
        now, before = found.get(file), known.get(file)
        if now == before:
            continue
        if now == WITHOUT:
            lines.append(f"{file} has no tests of its own: write them, or move those that it has (python -m scripts.own_tests)")
        elif now == PARTLY:
            lines.append(f"{file} has lines that its own tests do not run: test them")
        else:
            lines.append(f"{file} is covered by its own tests: remove it from {LIST.relative_to(ROOT)}")
    return lines


def moved(known: Mapping[str, str], files: Sequence[str], owned: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """
    The list after moves: a file that is gone gives its kind to a new file of the same name. Whether a file has tests of its own
    is seen, whether they run every line is not.
    """
    gone = {Path(file).name: kind for file, kind in known.items() if file not in files}
    now = {file: known.get(file) or gone.get(Path(file).name) for file in files}
    now |= {file: PARTLY for file, kind in now.items() if kind == WITHOUT and owned[file]}
    now |= {file: WITHOUT for file in files if not owned[file]}
    return {file: kind for file, kind in now.items() if kind}


def uncovered(groups: Mapping[tuple[str, ...], Sequence[str]]) -> dict[str, list[int]]:
    """Own tests -> their product files: the lines of each file that its own tests leave out. Each group runs alone."""
    found: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        settings = Path(folder, "settings")
        settings.write_text(_SETTINGS)

        def measure(number: int, tests: Sequence[str], files: Sequence[str]) -> dict[str, list[int]]:
            data = Path(folder, str(number), "data")
            data.parent.mkdir()
            _run(tests, settings, data)
            coverage = Coverage(data_file=str(data), config_file=str(settings))
            coverage.combine([str(data.parent)])
            return {file: coverage.analysis2(str(ROOT / file))[3] for file in files}

        for each in threads.map(measure, range(len(groups)), groups, groups.values()):
            found |= each
            print(f"\r{len(found)} files", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def _run(tests: Sequence[str], settings: Path, data: Path) -> None:
    """The examples of properties are few, and the same each time. Plugins that no test needs take a third of a start."""
    measured = ["-m", "coverage", "run", f"--rcfile={settings}", f"--data-file={data}"]
    chosen = ["-q", "-m", "not live and not browser", "--quick", "--hypothesis-profile=the same each time", *_PLUGINS]
    command = [sys.executable, *measured, "-m", "pytest", *chosen, *tests]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if run.returncode not in (0, _NO_TEST_CHOSEN):
        raise SystemExit(f"the tests fail: {' '.join(tests)}\n{run.stdout[-4000:]}{run.stderr[-2000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.individual_coverage")
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--write", action="store_true", help="write what was measured into the list")
    parser.add_argument("--moved", action="store_true", help="measure nothing; write the list after files were moved")
    asked = parser.parse_args()
    files = asked.files or product_files()
    owned = {file: own_tests(file) for file in files}
    known = listed() if LIST.exists() else {}
    if asked.moved:
        return _write(moved(known, files, owned), known)
    groups: dict[tuple[str, ...], list[str]] = {}
    for file, tests in owned.items():
        if tests:
            groups.setdefault(tuple(tests), []).append(file)
    lines = uncovered(groups)
    found = {file: WITHOUT if not tests else PARTLY for file, tests in owned.items() if not tests or lines[file]}
    if asked.write:
        others = {file: kind for file, kind in known.items() if file not in owned and (ROOT / file).exists()}
        return _write(others | found, known)
    for file in files:
        if lines.get(file):
            print(f"{file}: {', '.join(map(str, lines[file]))}")
    mistakes = wrong(found, known, files)
    print(*mistakes, sep="\n", file=sys.stderr)
    return 1 if mistakes else 0


def _write(found: Mapping[str, str], known: Mapping[str, str]) -> int:
    before, now = Counter(known.values()), Counter(found.values())
    print(
        f"{now[WITHOUT]} files without tests of their own ({before[WITHOUT]} before), {now[PARTLY]} partly ({before[PARTLY]})"
    )
    if known and (now[WITHOUT] > before[WITHOUT] or now.total() > before.total()):
        print("the list would grow, so it is not written:", *sorted(set(found) - set(known)), sep="\n", file=sys.stderr)
        return 1
    LIST.write_text(_HEAD + "".join(f"{file} {kind}\n" for file, kind in sorted(found.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
