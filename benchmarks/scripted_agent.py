"""
TURNS FILE -> the work of a coding agent in small: each turn it asks a model, uses git, compiles C and runs tests.

What is not installed is left out. FILE gets the seconds by the clock and of the processor, with those of its children, and what
was done. The model is at ANTHROPIC_BASE_URL; Anthropic's SDK asks it, or where that is not installed the library of Python.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

__all__ = ["main"]

_PROMPT = f"{'The file has this in it. ' * 400}Mend the parser, then run the tests. size=600"  # 10 KB
_GIT = ("git", "-c", "user.name=agent", "-c", "user.email=agent@localhost", "-c", "commit.gpgsign=false")
_FILES, _FUNCTIONS = 20, 200
_SOURCE = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + "".join(
    f"int parse_{number}(const char *text) {{ int sum = {number}; while (*text) sum = sum * 31 + *text++; return sum; }}\n"
    for number in range(_FUNCTIONS)
)
_TESTS = """\
import pytest

@pytest.mark.parametrize("number", range(200))
def test_it(number):
    assert 2 * number == number + number
"""


def main() -> None:
    turns, result = int(sys.argv[1]), Path(sys.argv[2])
    tools = {name: tool for name, (is_there, tool) in _TOOLS.items() if is_there()}
    with TemporaryDirectory() as name:
        folder = Path(name)
        began, used = time.perf_counter(), _used_s()
        ask = _sdk() if find_spec("anthropic") else _library()
        for turn in range(turns):
            ask()
            for tool in tools.values():
                tool(folder, turn)
        took = {"wall_s": time.perf_counter() - began, "cpu_s": _used_s() - used}
    result.write_text(json.dumps({**took, "calls": turns, "parts": list(tools)}))


def _used_s() -> float:
    return sum(os.times()[:4])


def _sdk() -> Callable[[], object]:
    import anthropic  # where it is installed, and as slowly as it does

    client = anthropic.Anthropic(max_retries=0)

    def ask() -> None:
        with client.messages.stream(model="demo", max_tokens=4096, messages=[{"role": "user", "content": _PROMPT}]) as stream:
            stream.until_done()

    return ask


def _library() -> Callable[[], object]:
    base = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
    connection = HTTPSConnection(base.netloc, context=ssl.create_default_context())
    body = json.dumps({"model": "demo", "max_tokens": 4096, "stream": True, "messages": [{"role": "user", "content": _PROMPT}]})

    def ask() -> None:
        connection.request("POST", "/v1/messages", body, {"content-type": "application/json", "x-api-key": "dummy"})
        for _ in connection.getresponse():
            pass

    return ask


def _git(folder: Path, turn: int) -> None:
    if not turn:
        _run(folder, "git", "init", "--quiet", ".")
    for number in range(_FILES):
        (folder / f"part_{number}.py").write_text(f"number = {number}\nturn = {turn}\n")
    for words in (
        ("status", "--short"),
        ("add", "--all"),
        ("commit", "--quiet", "-m", f"Turn {turn}"),
        ("log", "--stat", "-1"),
    ):
        _run(folder, *_GIT, *words)


def _compile(folder: Path, turn: int) -> None:
    (folder / "parser.c").write_text(f"{_SOURCE}int main(void) {{ return {turn % 2}; }}\n")
    _run(folder, "gcc", "-O1", "-o", "parser", "parser.c")


def _test(folder: Path, _: int) -> None:
    (folder / "test_parser.py").write_text(_TESTS)
    _run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_parser.py")


def _run(folder: Path, *words: str) -> None:
    subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=True)


_TOOLS: dict[str, tuple[Callable[[], object], Callable[[Path, int], None]]] = {
    "git": (lambda: shutil.which("git"), _git),
    "gcc": (lambda: shutil.which("gcc"), _compile),
    "pytest": (lambda: find_spec("pytest"), _test),
}


if __name__ == "__main__":
    main()
