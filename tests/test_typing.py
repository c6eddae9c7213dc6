"""Wrong wirings are red in the editor: both checkers refuse each marked line of a small file and no other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

WIRINGS = '''
"""Right wirings, and wrong ones, which are marked."""

from typing import assert_type

from reactivex import Observable
from reactivex import operators as ops

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.events import Event, HttpEvent, HttpRequest, HttpResponse, ProcessEvent, SseMessage, TlsEvent
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Operator, Stream
from agentsight_rx.view import Row


def to_text(number: int) -> str:
    return str(number)


def model_of(message: SseMessage) -> str:
    return message.reply.model


def wire(numbers: Stream[int], texts: Operator[int, str], blobs: Operator[bytes, str], back: Operator[str, int]) -> None:
    assert_type(numbers.pipe(texts), Stream[str])
    assert_type(numbers.pipe(texts, back), Stream[int])
    assert_type(numbers.pipe(texts, back, texts, back, texts, back, texts, back), Stream[int])
    assert_type(numbers.pipe(texts).pipe(back), Stream[int])
    assert_type(numbers.pipe(ops.map(to_text)), Observable[str])
    assert_type(numbers.pipe(ops.map(to_text), back), Stream[int])
    assert_type(numbers.pipe(texts, ops.take(3), back), Stream[int])
    assert_type(numbers.pipe(op.keep(bool)).pipe(texts), Stream[str])
    assert_type(numbers.pipe(op.change(to_text), back), Stream[int])
    assert_type(numbers.share().pipe(texts), Stream[str])
    assert_type(texts(numbers), Stream[str])
    assert_type(merge(numbers, numbers), Stream[int])
    assert_type(numbers.pipe(op.only(bool)), Stream[bool])
    assert_type(numbers.pipe(ops.take(3), op.only(bool)), Stream[bool])
    assert_type(numbers.pipe(ops.take(1), ops.map(to_text)), Observable[str])
    assert_type(numbers.pipe(ops.buffer_with_count(2)), Observable[list[int]])
    assert_type(numbers.pipe(op.only(bool), ops.pairwise()), Observable[tuple[bool, bool]])
    assert_type(numbers.pipe(op.only(bool), ops.map(to_text), ops.take(1), ops.map(len)), Observable[int])
    observable: Observable[object] = numbers
    numbers.pipe(back)  # wrong
    numbers.pipe(blobs)  # wrong
    numbers.pipe(texts, blobs)  # wrong
    numbers.pipe(texts, texts)  # wrong
    numbers.pipe(texts, back, blobs)  # wrong
    numbers.pipe(texts, back, texts, back, texts, back, texts, blobs)  # wrong
    numbers.pipe(ops.map(to_text), texts)  # wrong
    numbers.pipe(texts).pipe(blobs)  # wrong
    numbers.share().pipe(blobs)  # wrong
    blobs(numbers)  # wrong
    back(numbers.pipe(ops.map(to_text)).pipe(ops.map(len)))  # wrong
    wanted: Stream[bytes] = numbers.pipe(texts)  # wrong
    narrow: Operator[object, str] = texts  # wrong
    merge(numbers, 3)  # wrong
    print(observable, wanted, narrow)


def agents(tls: sources.TlsOptions, process: sources.ProcessOptions) -> None:
    records, programs = sources.tls(tls), sources.process(process)
    assert_type(records, Stream[TlsEvent])
    assert_type(records.pipe(op.normalize(), op.filter_tls("len>3"), op.parse_http()), Stream[HttpEvent])
    messages = records.pipe(op.parse_http())
    assert_type(messages.pipe(op.only(SseMessage)), Stream[SseMessage])
    assert_type(messages.pipe(op.only(HttpRequest, HttpResponse)), Stream[HttpRequest | HttpResponse])
    assert_type(messages.pipe(op.only(SseMessage), ops.map(model_of)), Observable[str])
    messages.pipe(op.only(HttpRequest), op.change(model_of))  # wrong
    calls = records.pipe(op.normalize(), op.parse_http(), op.merge_sse(), op.filter_http("GET")).pipe(op.remove_auth())
    ran = programs.pipe(op.normalize())
    assert_type(ran, Stream[ProcessEvent])
    inputs: list[Stream[Event]] = [calls, ran]
    assert_type(merge(*inputs).pipe(op.materialize()), Stream[Event | Row])
    programs.pipe(op.parse_http())  # wrong
    programs.pipe(op.filter_tls("len>3"))  # wrong
    programs.pipe(op.merge_sse())  # wrong
    records.pipe(op.parse_http(), op.filter_tls("len>3"))  # wrong
    records.pipe(op.parse_http()).pipe(op.parse_http())  # wrong
    merge(*inputs).pipe(op.parse_http())  # wrong
    records.pipe(op.materialize(), op.parse_http())  # wrong
'''

# mypy does not know what a lambda of RxPY's own `pipe` gets, nor of ours
LAMBDAS = '''
"""What a lambda gets."""

from typing import assert_type

from reactivex import Observable
from reactivex import operators as ops

from agentsight_rx import op
from agentsight_rx.core.stream import Stream
from agentsight_rx.events import HttpEvent, SseMessage


def work(numbers: Stream[int], messages: Stream[HttpEvent]) -> None:
    assert_type(numbers.pipe(ops.filter(lambda number: number > 3)), Observable[int])
    assert_type(numbers.pipe(ops.map(lambda number: number > 3), ops.take(1)), Observable[bool])
    assert_type(numbers.pipe(ops.take(1), ops.map(lambda number: str(number + 1))), Observable[str])
    assert_type(numbers.pipe(ops.scan(lambda total, number: total + number, 0)), Observable[int])
    assert_type(messages.pipe(op.only(SseMessage), ops.map(lambda message: message.reply.model)), Observable[str])
    texts = messages.pipe(op.only(SseMessage), ops.map(lambda message: message.reply.model), ops.map(lambda name: name.upper()))
    assert_type(texts, Observable[str])
    messages.pipe(op.only(SseMessage), ops.map(lambda message: message.nothing))  # wrong
    messages.pipe(op.only(SseMessage), ops.map(lambda message: message.chunks), ops.map(lambda number: number.upper()))  # wrong
'''


def marked(text: str) -> set[int]:
    return {number for number, line in enumerate(text.splitlines(), start=1) if line.endswith("# wrong")}


def by_mypy(path: Path) -> tuple[set[int], str]:
    known, copied = ROOT / ".mypy_cache", path.parent / "known"  # a copy, since a file of a test is none of the project
    if known.is_dir():
        shutil.copytree(known, copied)
    said = _said("mypy", "--cache-dir", str(copied), "--no-error-summary", "--hide-error-context", str(path))
    return {int(line) for line in re.findall(rf"^{re.escape(str(path))}:(\d+): error:", said, re.MULTILINE)}, said


def by_pyright(path: Path) -> tuple[set[int], str]:
    said = _said("pyright", "--outputjson", str(path))
    found = json.loads(said)["generalDiagnostics"]
    return {each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error"}, said


def _said(checker: str, *arguments: str) -> str:
    environment = {**os.environ, "MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    command = [sys.executable, "-m", checker, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("refused_by", [by_mypy, by_pyright])
def test_a_checker_refuses_the_wrong_wirings_and_no_other(
    refused_by: Callable[[Path], tuple[set[int], str]], tmp_path: Path
) -> None:
    path = tmp_path / "wirings.py"
    path.write_text(WIRINGS)
    refused, said = refused_by(path)
    assert refused == marked(WIRINGS), said


def test_a_lambda_behind_a_stream_knows_what_it_gets(tmp_path: Path) -> None:
    path = tmp_path / "lambdas.py"
    path.write_text(LAMBDAS)
    refused, said = by_pyright(path)
    assert refused == marked(LAMBDAS), said
