"""The files of the page: what is built is not committed, names no registry, and one file of it runs no captured text."""

from __future__ import annotations

import json
from pathlib import Path

from agentsight_rx.web.assets import Asset, Bundle, single_file

ROOT = Path(__file__).parents[2]
BUILT = Bundle("<!doctype html>", 'const end = "</script>"', "a { color: red }")


def test_what_is_built_is_not_committed() -> None:
    assert {"dist/", "node_modules/"} <= set((ROOT / ".gitignore").read_text().split())


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    assert [] == [name for name, package in lock["packages"].items() if "://" in package.get("resolved", "")]


def test_an_asset_is_found_by_its_path() -> None:
    assert Asset("text/css", "a { color: red }") == BUILT.asset("/assets/app.css")
    assert BUILT.asset("/assets/../index.html") is None


def test_in_one_file_neither_data_nor_script_ends_early() -> None:
    made = single_file(BUILT, {"sessions": {"title": "</script><script>alert(1)</script>"}})
    assert 2 == made.count("</script>")
    assert 'const end = "<\\/script>"' in made
    data = made.partition('type="application/json">')[2].partition("</script>")[0]
    assert {"sessions": {"title": "</script><script>alert(1)</script>"}} == json.loads(data)
