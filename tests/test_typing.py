"""Wrong wirings are red in the editor: both checkers refuse each marked line of a small file and no other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

WIRINGS = '''
"""Right wirings, and wrong ones, which are marked."""

from asyncio import Future
from collections.abc import Callable
from typing import TypeVar, assert_type

from reactivex import GroupedObservable, Observable
from reactivex import operators as ops

from agentsight_rx import Machine, sources
from agentsight_rx import operators as op
from agentsight_rx.events import Event, HttpEvent, HttpRequest, HttpResponse, ProcessEvent, SseMessage, TlsEvent
from agentsight_rx.core.merge import merge
from agentsight_rx.core.stream import Operator, Stream
from agentsight_rx.view import Row


T = TypeVar("T")


def total(before: int, number: int) -> int:
    return before + number


def both(two: tuple[int, int]) -> int:
    return sum(two)


def grown(group: GroupedObservable[str, str]) -> Observable[int]:
    return group.pipe(ops.count())


def to_text(number: int) -> str:
    return str(number)


def model_of(message: SseMessage) -> str:
    return message.reply.model


class Lengths(Machine[str, int]):
    def feed(self, event: str, /) -> list[int]:
        return [len(event)]


def is_big(number: int) -> bool:
    return number > 3


async def ask(number: int) -> str:
    return str(number)


def doubled() -> Operator[int, int]:
    return op.change(lambda number: number * 2, name="doubled")


def first_of(count: int) -> Callable[[Observable[T]], Observable[T]]:
    return ops.take(count)


def without(kind: type[T]) -> Operator[T, T]:
    return op.keep(lambda event: not isinstance(event, kind))


def listed(anything: Stream[T]) -> Observable[list[T]]:
    return anything.pipe(op.keep(bool), ops.to_list())


def big_ones(anything: Stream[T], size: Callable[[T], int]) -> Stream[int]:
    return anything.pipe(op.change(size), op.keep(lambda size: size > 3))


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
    assert_type(numbers.pipe(op.change(lambda number: number + 1)), Stream[int])
    assert_type(numbers.pipe(op.keep(lambda number: number > 3), op.change(lambda number: str(number))), Stream[str])
    assert_type(numbers.pipe(op.change(to_text), op.keep(lambda text: text.isdigit()), op.change(len)), Stream[int])
    assert_type(numbers.pipe(op.map_async(ask, limit=4)), Stream[str])
    assert_type(numbers.pipe(op.keep(is_big), op.map_async(ask), ops.pairwise()), Observable[tuple[str, str]])
    assert_type(numbers.pipe(texts, op.per_key(len, Lengths, name="lengths", key_type=int)), Stream[int])
    assert_type(numbers.pipe(op.only(bool), op.window(op.Tumbling(60.0), key=bool)), Stream[op.Window[bool]])
    assert_type(numbers.pipe(op.join_within(5.0, is_big, bool), op.change(str)), Stream[str])
    assert_type(numbers.pipe(op.keep(is_big), ops.map(to_text), op.change(lambda text: len(text))), Stream[int])
    named: Stream[str] = numbers.pipe(ops.filter(is_big), ops.map(to_text), op.keep(bool))
    assert_type(numbers.pipe(first_of(3), op.keep(is_big), first_of(2)), Observable[int])
    assert_type(numbers.pipe(without(bool), op.change(to_text), ops.distinct_until_changed()), Observable[str])
    assert_type(numbers.pipe(ops.start_with(0), ops.pairwise(), ops.starmap(total)), Observable[int])
    assert_type(numbers.pipe(ops.merge(numbers), ops.debounce(0.1), op.change(to_text)), Stream[str])
    assert_type(numbers.pipe(ops.map(to_text), ops.take(2), ops.to_list(), ops.count()), Observable[int])
    assert_type(numbers.pipe(ops.buffer_with_time(1.0), ops.map(len)), Observable[int])
    assert_type(numbers.pipe(ops.scan(total, 0), ops.pairwise(), op.change(both)), Stream[int])
    latest: Stream[object] = numbers.pipe(ops.with_latest_from(numbers), op.keep(bool))
    zipped: Stream[str] = numbers.pipe(ops.zip(numbers), op.keep(bool), op.change(str))
    assert_type(numbers.pipe(ops.group_by(to_text, to_text), ops.flat_map(grown)), Observable[int])
    assert_type(numbers.pipe(ops.publish(), ops.ref_count()), Observable[int])
    assert_type(numbers.pipe(texts, ops.publish(), ops.ref_count(), ops.take(3), back), Stream[int])
    assert_type(numbers.pipe(op.keep(is_big), ops.to_future()), Future[int])
    assert_type(numbers.pipe(*[doubled() for _ in range(3)]), Stream[int])
    many = numbers.pipe(doubled(), ops.take(9), doubled(), ops.skip(1), op.keep(is_big), texts, back, texts, op.change(len))
    assert_type(many, Stream[int])
    most = numbers.pipe(
        texts, back, texts, back, texts, back, texts, back, texts, back, texts, back, texts, back, ops.map(to_text), ops.take(1)
    )
    assert_type(most, Observable[str])
    stored = op.change(to_text)
    again: Stream[str] = numbers.pipe(stored, op.keep(lambda text: text.isdigit()))
    lists: Stream[list[int]] = numbers.pipe(stored, op.change(lambda text: len(text)), op.change(lambda number: [number]))
    observable: Observable[object] = numbers
    numbers.pipe(back)  # wrong
    numbers.pipe(blobs)  # wrong
    numbers.pipe(texts, blobs)  # wrong
    numbers.pipe(texts, texts)  # wrong
    numbers.pipe(texts, back, blobs)  # wrong
    numbers.pipe(texts, back, texts, back, texts, back, texts, blobs)  # wrong
    numbers.pipe(texts, back, texts, back, texts, back, texts, back, texts, texts)  # wrong
    thirteen = (back, texts, back, texts, back, texts, back, texts, back, texts, back, texts, back)
    numbers.pipe(texts, *thirteen, texts, blobs)  # wrong
    numbers.pipe(blobs, ops.take(1), ops.skip(1), ops.take(1), ops.skip(1), ops.take(1), ops.take(1), back)  # wrong
    numbers.pipe(ops.take(1), texts, ops.take(1), blobs)  # wrong
    numbers.pipe(texts, op.keep(is_big))  # wrong
    numbers.pipe(texts, op.map_async(ask))  # wrong
    numbers.pipe(texts, op.per_key(len, Lengths, name="lengths", key_type=int), back)  # wrong
    numbers.pipe(3)  # wrong
    numbers.pipe(texts, ops.to_future(), back)  # wrong
    strings: Stream[str] = numbers.pipe(op.keep(is_big))  # wrong
    numbers.pipe(ops.map(to_text), texts)  # wrong
    numbers.pipe(texts).pipe(blobs)  # wrong
    numbers.share().pipe(blobs)  # wrong
    blobs(numbers)  # wrong
    back(numbers.pipe(ops.map(to_text)).pipe(ops.map(len)))  # wrong
    wanted: Stream[bytes] = numbers.pipe(texts)  # wrong
    narrow: Operator[object, str] = texts  # wrong
    merge(numbers, 3)  # wrong
    print(observable, wanted, narrow, again, lists, strings, named, latest, zipped)


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

# mypy does not know what a lambda of a stock operator gets, in RxPY's own `pipe` as in ours
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
    grown = numbers.pipe(ops.scan(lambda sum, number: sum + number, 0), ops.pairwise(), ops.map(lambda two: two[1] - two[0]))
    assert_type(grown, Observable[int])
    models = messages.pipe(op.only(SseMessage), op.change(lambda message: message.reply.model), ops.distinct_until_changed())
    assert_type(models, Observable[str])
    sums = numbers.pipe(ops.buffer_with_count(2), op.change(lambda two: sum(two)), op.keep(lambda sum: sum > 3))
    assert_type(sums, Stream[int])
    assert_type(numbers.pipe(op.change(str), op.keep(bool), op.change(lambda text: [text])), Stream[list[str]])
    pairs = numbers.pipe(op.join_within(5.0, lambda number: number > 3, lambda number: number < 3))
    assert_type(pairs, Stream[op.Pair[int]])
    windows = numbers.pipe(op.window(op.Tumbling(9.0), key=lambda number: number % 2), op.change(lambda each: len(each.events)))
    assert_type(windows, Stream[int])
    doubled = numbers.pipe(ops.flat_map(lambda number: [number, number]), ops.map(lambda number: number + 1), ops.first())
    assert_type(doubled, Observable[int])
    many = numbers.pipe(
        op.keep(lambda number: number > 3),
        ops.take(9),
        op.change(lambda number: str(number)),
        ops.map(lambda text: text.upper()),
        op.keep(lambda text: text.isdigit()),
        ops.pairwise(),
        ops.map(lambda two: two[0] + two[1]),
        op.change(lambda text: len(text)),
        ops.buffer_with_time(1.0),
        ops.filter(lambda some: len(some) > 1),
    )
    assert_type(many, Observable[list[int]])
    numbers.pipe(op.change(lambda number: number.upper()))  # wrong
    numbers.pipe(op.change(str), op.keep(lambda text: text > 3))  # wrong
    numbers.pipe(ops.take(1), op.change(str), ops.take(1), op.change(lambda text: text + 1))  # wrong
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


def by_pyright(*paths: Path) -> tuple[list[set[int]], str]:
    said = _said("pyright", "--outputjson", *map(str, paths))
    found = [each for each in json.loads(said)["generalDiagnostics"] if each["severity"] == "error"]
    return [{each["range"]["start"]["line"] + 1 for each in found if each["file"] == str(path)} for path in paths], said


def _said(checker: str, *arguments: str) -> str:
    environment = {**os.environ, "MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    command = [sys.executable, "-m", checker, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stdout


def test_mypy_refuses_the_wrong_wirings_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "wirings.py"
    path.write_text(WIRINGS)
    refused, said = by_mypy(path)
    assert refused == marked(WIRINGS), said


def test_pyright_refuses_them_too_and_knows_what_a_lambda_behind_a_stream_gets(tmp_path: Path) -> None:
    wirings, lambdas = tmp_path / "wirings.py", tmp_path / "lambdas.py"
    wirings.write_text(WIRINGS)
    lambdas.write_text(LAMBDAS)
    refused, said = by_pyright(wirings, lambdas)
    assert refused == [marked(WIRINGS), marked(LAMBDAS)], said
