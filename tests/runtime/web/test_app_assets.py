"""The files of the page: what is built is not committed, names no registry, and one file of it runs no captured text."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec import Raw

from agentsight_rx.runtime.web.app import Asset, Bundle, single_file
from agentsight_rx.view.page import Embedded

ROOT = Path(__file__).parents[3]
BUILT = Bundle("<!doctype html>", "", "a { color: red }", rest="", whole='const end = "</script>"')


def test_what_is_built_is_not_committed() -> None:
    assert {"dist/", "node_modules/"} <= set((ROOT / ".gitignore").read_text().split())


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    assert [] == [name for name, package in lock["packages"].items() if "://" in package.get("resolved", "")]


def test_an_asset_is_found_by_its_path() -> None:
    assert Asset("text/css", "a { color: red }") == BUILT.asset("/assets/app.css")
    assert BUILT.asset("/assets/../index.html") is None


HOSTILE = "</script><script>alert(1)</script><!--\u2028\u2029\x00\u202e"


def made(text: str = HOSTILE, built: Bundle = BUILT) -> str:
    return single_file(built, Embedded({text: Raw(json.dumps(text).encode())}, [], (text,))).decode()


def test_in_one_file_neither_data_nor_script_ends_early() -> None:
    file = made()
    assert 2 == file.count("</script>")
    assert 'const end = "\\x3c/script>"' in file
    data = file.partition('type="application/json">')[2].partition("</script>")[0]
    assert not set("<\u2028\u2029") & set(data)
    assert {"answers": {HOSTILE: HOSTILE}, "said": [], "left_out": [HOSTILE]} == json.loads(data)


@pytest.mark.parametrize("text", ["</SCRIPT >", "<!-- <script>", "</Script\t"])
def test_no_spelling_in_the_script_of_the_page_changes_where_it_ends(text: str) -> None:
    file = made(built=Bundle("", "", "", rest="", whole=f"const text = '{text}'"))
    assert text not in file
    assert text.replace("<", "\\x3c", 1) in file


def test_only_the_script_and_the_style_of_the_page_run() -> None:
    file = made()
    policy = file.partition('content="default-src')[2].partition('"')[0]
    script = file.partition('<script type="module">')[2].partition("</script>")[0]
    for kind, text in (("script", script), ("style", BUILT.style)):
        assert f"{kind}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
    assert "unsafe" not in policy


def test_one_file_loads_nothing() -> None:
    assert [] == [part for part in ("http://", "https://", "src=", "url(", "@import") if part in made("x")]
