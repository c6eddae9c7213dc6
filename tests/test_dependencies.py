"""What an installation brings: its size has a limit, and docs/design.md says what each package is for."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

_ROOT = Path(__file__).parents[1]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
_MOST_MB = 71  # 68 at first; 70.1 since agents' own session files are imported


def _required(distributions: list[str]) -> list[Requirement]:
    found = (Requirement(text) for text in distributions)
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]


def _closure() -> dict[str, Distribution]:
    """What pip installs for record, report and serve: the declared packages, theirs, and so on."""
    found: dict[str, Distribution] = {}
    waiting = _required(_PROJECT["dependencies"])
    while waiting:
        each = waiting.pop()
        name = re.sub(r"[-_.]+", "-", each.name).lower()
        if name not in found:
            found[name] = distribution(name)
            waiting += _required(found[name].requires or [])
        # an extra of a package brings more of what it requires
        for extra in each.extras:
            texts = found[name].requires or []
            waiting += [one for one in map(Requirement, texts) if one.marker and one.marker.evaluate({"extra": extra})]
    return found


def _megabytes(paths: list[Path]) -> float:
    """Without bytecode, which each version of Python makes in its own size: a third more."""
    return sum(path.stat().st_size for path in paths if path.is_file() and path.suffix != ".pyc") / (1 << 20)


def _sizes() -> dict[str, float]:
    packages = {
        name: _megabytes([Path(str(each.locate_file(file))) for file in each.files or ()]) for name, each in _closure().items()
    }
    ours = [path for place in ("agentsight_rx", "benchmarks") for path in (_ROOT / place).rglob("*")]
    return packages | {"agentsight-rx": _megabytes(ours)}


def test_an_installation_stays_small() -> None:
    sizes = _sizes()
    table = "\n".join(f"{size:6.1f} MB {name}" for name, size in sorted(sizes.items(), key=lambda each: -each[1]))
    assert sum(sizes.values()) <= _MOST_MB, f"{sum(sizes.values()):.0f} MB; {_MOST_MB} are allowed\n{table}"


def test_the_design_says_what_each_dependency_is_for() -> None:
    extras = (text for texts in _PROJECT["optional-dependencies"].values() for text in texts)
    declared = {Requirement(text).name for text in (*_PROJECT["dependencies"], *extras)}
    table = (_ROOT / "docs/design.md").read_text().partition("## Dependencies")[2]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(declared) == sorted(named)
