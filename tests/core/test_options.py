"""Options are checked where they are made."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.core.options import Fits, Options, above, at_least, between
from agentsight_rx.errors import UsageError
from agentsight_rx.graphs import TraceOptions
from agentsight_rx.runtime.web import WebOptions
from agentsight_rx.sinks import OtelOptions
from agentsight_rx.sources import (
    AgentOptions,
    FileOptions,
    HookOptions,
    NetOptions,
    PlainHttpOptions,
    ProcessOptions,
    ReadlineOptions,
    ReplayOptions,
    Roots,
    StdioOptions,
    SystemOptions,
    Target,
    TlsOptions,
)
from agentsight_rx.sources.opened import SourceOptions
from agentsight_rx.sources.session_files.look import TranscriptsOptions
from agentsight_rx.store.spool import SpoolOptions


class Inner(Options, frozen=True):
    count: Annotated[int, at_least(1)] | None = None


class Every(Options, frozen=True):
    number: int = 1
    share: Annotated[float, above(0)] = 0.5
    name: str = "a"
    on: bool = False
    names: tuple[str, ...] = ()
    numbers: tuple[Annotated[int, between(0, 9)], ...] = ()
    way: Literal["cheap", "entry"] = "cheap"
    key: bytes | None = None
    inner: Inner | None = None
    even: Annotated[int, Fits(lambda value: value % 2 == 0, "that is even")] = 2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("number", "12", "Every(number='12'): expected int; write number=12"),
        ("number", True, "Every(number=True): expected int"),
        ("number", 1.5, "Every(number=1.5): expected int"),
        ("number", None, "Every(number=None): expected int"),
        ("share", 0, "Every(share=0): expected float above 0"),
        ("share", "0.5", "Every(share='0.5'): expected float above 0; write share=0.5"),
        ("share", True, "Every(share=True): expected float above 0"),
        ("share", math.nan, "Every(share=nan): expected float above 0"),
        ("name", 3, "Every(name=3): expected str"),
        ("name", Path("/tmp/x"), "Every(name=PosixPath('/tmp/x')): expected str; write name='/tmp/x'"),
        ("on", 1, "Every(on=1): expected bool"),
        ("on", "yes", "Every(on='yes'): expected bool"),
        ("names", "x", "Every(names='x'): expected a tuple of str; write names=('x',)"),
        ("names", Path("/tmp/x"), "Every(names=PosixPath('/tmp/x')): expected a tuple of str; write names=('/tmp/x',)"),
        ("names", ("a", 3), "Every(names=('a', 3)): expected a tuple of str"),
        ("names", ["a", 3], "Every(names=['a', 3]): expected a tuple of str"),
        ("names", {"a": 1}, "Every(names={'a': 1}): expected a tuple of str"),
        ("numbers", 3, "Every(numbers=3): expected a tuple of int from 0 to 9; write numbers=(3,)"),
        ("numbers", (3, 10), "Every(numbers=(3, 10)): expected a tuple of int from 0 to 9"),
        ("way", "fast", "Every(way='fast'): expected 'cheap' or 'entry'"),
        ("key", "secret", "Every(key=<str>): expected bytes or None"),  # it may be the key
        ("name", b"secret", "Every(name=<bytes>): expected str"),
        ("inner", {"count": 1}, "Every(inner={'count': 1}): expected Inner or None"),
        ("even", 3, "Every(even=3): expected int that is even"),
        ("name", ["x" * 300], f"Every(name=['{'x' * 198}…): expected str"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_given_and_what_is_expected(name: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Every(**{name: value})
    assert str(refused.value) == said
    with pytest.raises(UsageError):
        replace(Every(), **{name: value})


def test_a_range_holds_for_the_value_that_is_there() -> None:
    assert Inner(None).count is None
    assert Inner(1).count == 1
    with pytest.raises(UsageError, match=r"^Inner\(count=0\): expected int of at least 1 or None$"):
        Inner(0)


@pytest.mark.parametrize("given", [["a", "b"], ("a", "b")])
def test_a_list_becomes_the_tuple_that_is_wanted(given: Any) -> None:
    made = Every(names=given)
    assert made.names == ("a", "b")
    assert hash(made) == hash(Every(names=("a", "b")))
    assert set(Every(names={"a", "b"}).names) == {"a", "b"}  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_what_fits_stays_as_it_was_given() -> None:
    key, inner = b"k" * 32, Inner(3)
    made = Every(2, 1, "b", True, ("x",), (0, 9), "entry", key, inner, 4)
    assert made.share == 1
    assert type(made.share) is int
    assert made.key is key
    assert made.inner is inner


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.floats(), st.text(max_size=3), st.binary(max_size=3),
    st.lists(st.one_of(st.text(max_size=2), st.integers(0, 3)), max_size=3).map(tuple), st.just(Inner()), st.just(Path("x")),
)  # fmt: skip
FITTING: dict[str, Callable[[Any], bool]] = {
    "number": lambda value: type(value) is int,
    "share": lambda value: type(value) in (int, float) and value > 0,
    "name": lambda value: type(value) is str,
    "on": lambda value: type(value) is bool,
    "names": lambda value: issubclass(type(value), tuple) and {str} >= set(map(type, value)),
    "numbers": lambda value: issubclass(type(value), tuple) and set(range(10)) >= set(value),
    "way": lambda value: value in ("cheap", "entry"),
    "key": lambda value: value is None or type(value) is bytes,
    "inner": lambda value: value is None or type(value) is Inner,
    "even": lambda value: type(value) is int and value % 2 == 0,
}


@given(st.sampled_from(sorted(FITTING)), VALUES)
def test_a_value_is_taken_where_it_fits_its_annotation_and_refused_elsewhere(name: str, value: Any) -> None:
    if FITTING[name](value):
        assert getattr(Every(**{name: value}), name) == value
    else:
        with pytest.raises(UsageError, match=rf"^Every\({name}="):
            Every(**{name: value})


@given(VALUES)
@example("INF")
def test_what_a_refusal_says_to_write_is_taken(value: Any) -> None:
    for name, fits in FITTING.items():
        if fits(value):
            continue
        with pytest.raises(UsageError) as refused:
            Every(**{name: value})
        _, mark, remedy = str(refused.value).partition("; write ")
        if mark:
            eval(f"Every({remedy})", {"Every": Every})


ROOT = Path(__file__).parents[2] / "agentsight_rx"
TARGET = Target(pid=1)
MADE: tuple[Options, ...] = (
    TARGET,
    AgentOptions(Roots()),
    FileOptions(),
    HookOptions(7),
    NetOptions(),
    PlainHttpOptions(),
    ProcessOptions(),
    ReadlineOptions(),
    ReplayOptions(("x",)),
    StdioOptions(TARGET),
    SystemOptions(),
    TlsOptions(),
    TranscriptsOptions("/home/a", 1000),
    OtelOptions(),
    SpoolOptions("x", "web1"),
    SourceOptions(),
    TraceOptions(),
    WebOptions(),
)


def test_every_options_struct_is_checked_where_it_is_made() -> None:
    kinds = [
        (node.name, [ast.unparse(base) for base in node.bases])
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and re.fullmatch(r"[A-Z]\w*Options", node.name)
    ]
    assert {name for name, _ in kinds} == {type(each).__name__ for each in MADE} - {"Target"}
    assert ["TraceOptions"] == [name for name, bases in kinds if bases != ["Options"]]
    assert issubclass(TraceOptions, SourceOptions)


@pytest.mark.parametrize("made", MADE, ids=lambda made: type(made).__name__)
def test_no_field_takes_what_it_is_not_for(made: Options) -> None:
    assert made == replace(made)
    for name in made.__struct_fields__:
        with pytest.raises(UsageError, match=rf"^{type(made).__name__}\({name}=<object.*>\): expected "):
            replace(made, **{name: object()})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Target(pid=cast(Any, "12")), "Target(pid='12'): expected int of at least 1 or None; write pid=12"),
        (lambda: Target(pid=0), "Target(pid=0): expected int of at least 1 or None"),
        (lambda: Target(session=-1), "Target(session=-1): expected int of at least 0 or None"),
        (lambda: Target(comms=cast(Any, "x")), "Target(comms='x'): expected a tuple of str; write comms=('x',)"),
        (
            lambda: ReplayOptions(cast(Any, "/tmp/x")),
            "ReplayOptions(paths='/tmp/x'): expected a tuple of str; write paths=('/tmp/x',)",
        ),
        (lambda: StdioOptions(TARGET, max_bytes=0), "StdioOptions(max_bytes=0): expected int from 1 to 262144"),
        (lambda: StdioOptions(TARGET, fds=(-1,)), "StdioOptions(fds=(-1,)): expected a tuple of int of at least 0"),
        (
            lambda: FileOptions(ring_size=12_288),
            "FileOptions(ring_size=12288): expected int that is 0 or a power of two from 8192 on",
        ),
        (lambda: TlsOptions(cast(Any, 12)), "TlsOptions(target=12): expected Target"),
        (lambda: TraceOptions(redaction_key=cast(Any, "secret")), "TraceOptions(redaction_key=<str>): expected bytes or None"),
    ],
)
def test_what_a_person_writes_wrong_is_said(make: Callable[[], Options], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        make()
    assert str(refused.value) == said
