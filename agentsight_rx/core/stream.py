"""
Kernels -> Rx operators: a Stream is an Observable of single events that moves batches inside. Only this file joins the two.

Longer than 300 lines because `pipe` needs an overload for each number of operators to have types.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, cast, overload

from reactivex import ConnectableObservable, Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable
from reactivex.subject import Subject

from ..events.loss import Reason
from .engine import Engine, Site
from .errors import refuse_others
from .hub import Hub, Outlet, Reader, needs_order
from .machine import Halted, Kernel, Machine, Node, are_ours, may_subscribe_again
from .mailbox import Door
from .virtual import engine_of

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
H = TypeVar("H")
J = TypeVar("J")
K = TypeVar("K")
M = TypeVar("M")
N = TypeVar("N")
P = TypeVar("P")
Q = TypeVar("Q")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")
A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)

# What an operator takes and emits whose arguments say it, or its place in a pipe. mypy reads all operators of a pipe at once:
# what it does not know yet is Any, and without the default would be Never, which fits nothing
if TYPE_CHECKING:
    from typing_extensions import TypeVar as _TypeVar  # which comes with the checkers

    Taken = _TypeVar("Taken", default=Any)
    Made = _TypeVar("Made", default=Any)
else:
    Taken, Made = TypeVar("Taken"), TypeVar("Made")


_EACH = "give the class {0}, not {0}()"


class Root(Protocol[E_co]):
    """Where a stream's batches come from."""

    @property
    def name(self) -> str: ...
    def attach(self, engine: Engine, outlet: Outlet[Any], /) -> abc.DisposableBase: ...
    def node(self) -> Node: ...


class Step(Protocol[A_contra, B_co]):
    """What stands in a pipe: an operator of this package, or a stock one, which is any such function."""

    def __call__(self, source: Observable[A_contra], /) -> Observable[B_co]: ...


class _End(Protocol[A_contra, B_co]):
    def __call__(self, source: Observable[A_contra], /) -> B_co: ...


# What stands last in a pipe: it may make anything, such as a Stream or a Future. A checker gives the type to a lambda of an
# operator by the protocol, and to one that returns a function by the Callable
End: TypeAlias = "_End[A, B] | Callable[[Observable[A]], B]"


class Operator(Step[A_contra, B_co]):
    """
    A function from Observable[A] to Stream[B], made of a name, its options as --explain shows them, and what makes its kernel.
    Neighbours fuse into one loop over each batch.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Site], Kernel[A_contra, B_co]],
        options: str = "",
        *,
        authors: Sequence[object] = (),
    ) -> None:
        """`authors`: the functions and classes that do its work, whose module says whose bugs it has; () for `make` alone."""
        for author in authors:
            machine = isinstance(author, Machine)
            wanted, hint = "a function that makes a machine" if machine else "a function", _EACH.format(type(author).__name__)
            refuse_others(f"op.{name}", wanted, [author], callable, hint=hint if machine else "")
        self.name = name
        self.options = options
        self.ours = are_ours(authors or (make,))
        self._make = make

    def __call__(self, source: Observable[A_contra], /) -> Stream[B_co]:
        return as_stream(source).then(self)

    def after(self, source: Stream[Any]) -> Stream[B_co]:
        """What a stream becomes by it. As a rule it is fused with the stages before it."""
        return source.fused(self)

    @property
    def stages(self) -> tuple[Operator[Any, Any], ...]:
        """Its parts, each with its own line in the ledger and in --explain: itself alone, unless it was composed."""
        return (self,)

    def kernel(self, site: Site) -> Kernel[A_contra, B_co]:
        """The running part: for a chain, for tests and for other ways to run it."""
        return self._make(site)

    def __repr__(self) -> str:
        return f"<Operator {self.name}{f'  {self.options}' if self.options else ''}>"


class Stream(Observable[E_co]):
    """An Observable of events: operators of this package get batches, any other subscriber single events, in order."""

    def __init__(self, root: Root[Any], stages: tuple[Operator[Any, Any], ...] = ()) -> None:
        super().__init__()
        self._root = root
        self._stages = stages

    @property
    def name(self) -> str:
        return self._root.name

    def __repr__(self) -> str:
        return f"<Stream {' ▸ '.join([self.name, *(stage.name for stage in self._stages)])}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.node().text())}</pre>"

    def then(self, operator: Operator[Any, B]) -> Stream[B]:
        """This stream, continued by an operator of this package."""
        stream = cast("Stream[Any]", self)
        for stage in operator.stages:
            stream = stage.after(stream)
        return stream

    def fused(self, stage: Operator[Any, B]) -> Stream[B]:
        """This stream, continued by one stage in the loop over its batches."""
        return Stream[B](self._root, (*self._stages, stage))

    def attach(self, engine: Engine, outlet: Outlet[E_co]) -> abc.DisposableBase:
        """Subscribe to whole batches."""
        if not self._stages:
            return self._root.attach(engine, outlet)
        chain: Chain[Any] = Chain(engine, self._root.name, self._stages, outlet)
        upstream = self._root.attach(engine, chain)
        return CompositeDisposable(upstream, engine.add(chain))

    def _subscribe_core(
        self, observer: abc.ObserverBase[E_co], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        engine = engine_of(scheduler)
        return engine.here(lambda: self.attach(engine, _Singles(engine, self._root.name, observer)))

    def share(self) -> Stream[E_co]:
        """One run of everything upstream for all subscribers of the result, batch by batch."""
        return Stream[E_co](_Shared(self))

    def node(self) -> Node:
        """The graph that would run, as a value."""
        node = self._root.node()
        for stage in self._stages:
            node = Node(stage.name, stage.options, (node,))
        return node

    # fmt: off
    @overload  # type: ignore[override]
    def pipe(self, a: End[E_co, A], /) -> A: ...
    @overload
    def pipe(self, a: Step[E_co, A], b: End[A, B], /) -> B: ...
    @overload
    def pipe(self, a: Step[E_co, A], b: Step[A, B], c: End[B, C], /) -> C: ...
    @overload
    def pipe(self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: End[C, D], /) -> D: ...
    @overload
    def pipe(self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: End[D, F], /) -> F: ...
    @overload
    def pipe(self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: End[F, G], /) -> G: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: End[G, H], /
    ) -> H: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: End[H, J], /
    ) -> J: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: Step[H, J], k: End[J, K], /
    ) -> K: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: Step[H, J], k: Step[J, K], m: End[K, M], /
    ) -> M: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: Step[H, J], k: Step[J, K], m: Step[K, M], n: End[M, N], /
    ) -> N: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: Step[H, J], k: Step[J, K], m: Step[K, M], n: Step[M, N], p: End[N, P], /
    ) -> P: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: Step[H, J], k: Step[J, K], m: Step[K, M], n: Step[M, N], p: Step[N, P], q: End[P, Q], /
    ) -> Q: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: Step[H, J], k: Step[J, K], m: Step[K, M], n: Step[M, N], p: Step[N, P], q: Step[P, Q], r: End[Q, R], /
    ) -> R: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: Step[H, J], k: Step[J, K], m: Step[K, M], n: Step[M, N], p: Step[N, P], q: Step[P, Q], r: Step[Q, R],
        s: End[R, S], /
    ) -> S: ...
    @overload
    def pipe(
        self, a: Step[E_co, A], b: Step[A, B], c: Step[B, C], d: Step[C, D], f: Step[D, F], g: Step[F, G], h: Step[G, H],
        j: Step[H, J], k: Step[J, K], m: Step[K, M], n: Step[M, N], p: Step[N, P], q: Step[P, Q], r: Step[Q, R], s: Step[R, S],
        t: End[S, T], /
    ) -> T: ...
    # where one hands on more than an Observable, as `publish` does to `ref_count`
    @overload
    def pipe(self, a: Callable[[Observable[E_co]], A], b: Callable[[A], B], /) -> B: ...
    @overload
    def pipe(self, a: Callable[[Observable[E_co]], A], b: Callable[[A], B], c: Callable[[B], C], /) -> C: ...
    @overload
    def pipe(
        self, a: Callable[[Observable[E_co]], A], b: Callable[[A], B], c: Callable[[B], C], d: Callable[[C], D], /
    ) -> D: ...
    @overload
    def pipe(
        self, a: Callable[[Observable[E_co]], A], b: Callable[[A], B], c: Callable[[B], C], d: Callable[[C], D],
        f: Callable[[D], F], /
    ) -> F: ...
    @overload
    def pipe(
        self, a: Callable[[Observable[E_co]], A], b: Callable[[A], B], c: Callable[[B], C], d: Callable[[C], D],
        f: Callable[[D], F], g: Callable[[F], G], /
    ) -> G: ...
    @overload
    def pipe(
        self, a: Callable[[Observable[E_co]], A], b: Callable[[A], B], c: Callable[[B], C], d: Callable[[C], D],
        f: Callable[[D], F], g: Callable[[F], G], h: Callable[[G], H], /
    ) -> H: ...
    @overload
    def pipe(
        self, a: Callable[[Observable[E_co]], A], b: Callable[[A], B], c: Callable[[B], C], d: Callable[[C], D],
        f: Callable[[D], F], g: Callable[[F], G], h: Callable[[G], H], j: Callable[[H], J], /
    ) -> J: ...
    # fmt: on
    def pipe(self, *operators: Callable[[Any], Any]) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Continue this stream by operators, of this package and stock ones in any order."""
        return _piped(self, operators)


def origin(
    name: str,
    reader: Callable[[], Reader[E]],
    *,
    time_of: Callable[[E], int] | None,
    live: bool = False,
    options: str = "",
) -> Stream[E]:
    """
    The Stream of a source: the first subscription in a run makes and attaches its reader, later ones join.

    `live`: its events happen now. Time then follows the clock while none comes, and a full queue drops events.
    """
    return Stream[E](_Origin(Node(name, options), lambda: Hub(name, reader(), time_of, live=live)))


def begun(source: Stream[E]) -> tuple[Stream[E], Hub[Any]]:
    """A source for one run, and its hub, which is being opened from now on: before the run that reads it."""
    root = source._root  # pyright: ignore[reportPrivateUsage]  # of this file
    hub = cast("_Origin[Any]", root).hub()
    hub.opener()
    return Stream[E](_Origin(source.node(), lambda: hub)), hub


def as_stream(source: Observable[E]) -> Stream[E]:
    """Any Observable as a Stream; a Stream is one already."""
    refuse_others("a graph", "a Stream or another Observable", [source], lambda value: _is(value, Observable))
    return source if isinstance(source, Stream) else Stream[E](_Gathered(source))


def of(*batches: Sequence[E], time_of: Callable[[E], int] | None = None, name: str = "of") -> Stream[E]:
    """A Stream of the given batches, for tests and examples."""
    return origin(name, lambda: _Given(batches), time_of=time_of)


class Chain(Generic[A_contra]):
    """Neighbouring operators in one run: each batch goes through all their kernels in a plain loop."""

    def __init__(self, engine: Engine, root: str, stages: Sequence[Operator[Any, Any]], outlet: Outlet[Any]) -> None:
        self._outlet = outlet
        sites = [Site(engine, f"{root}/{stage.name}", ours=stage.ours) for stage in stages]
        kernels = [stage.kernel(site) for stage, site in zip(stages, sites, strict=True)]
        if engine.profiles:
            kernels = [_Timed(kernel, site) for kernel, site in zip(kernels, sites, strict=True)]
        self._steps = list(zip(kernels, sites, strict=True))
        self._ticking = [(index, *step) for index, step in enumerate(self._steps) if step[0].ticks]
        self._done = False
        self._finished = False  # in the run before: its kernels have nothing more to emit

    @property
    def singles(self) -> int:
        return self._outlet.singles

    def on_batch(self, batch: Sequence[A_contra], /) -> None:
        if not self._done:
            self._from(0, batch)

    def _from(self, first: int, batch: Sequence[Any]) -> None:
        for kernel, site in self._steps[first:] if first else self._steps:
            meter = site.meter
            meter.seen += len(batch)
            try:
                batch = kernel.feed(batch)
            except (Exception, Halted) as error:  # of a kernel by hand: those of kernels.py go on behind the failing event
                batch = self._failed(site, error, len(batch))
            if site.error is not None:
                self._halt(site, batch)
                return
            if not batch:
                return
            meter.passed += len(batch)
        self._outlet.on_batch(batch)

    def _failed(self, site: Site, error: Exception | Halted, count: int = 1) -> Sequence[Any]:
        """Of what the kernel was doing nothing is known."""
        if isinstance(error, Exception):
            with suppress(Halted):
                site.bug(error, count)
        return ()

    def _halt(self, site: Site, batch: Sequence[Any]) -> None:
        """The graph ends at the event behind this batch."""
        error, site.error = site.error, None
        if batch:
            self._on(1 + next(index for index, step in enumerate(self._steps) if step[1] is site), site, batch)
        if isinstance(error, Exception):
            self.on_error(error)
        elif error is not None:
            self._done = True
            raise error

    def tick(self, now_ns: int, /) -> None:
        if self._done:
            return
        for index, kernel, site in self._ticking:
            try:
                batch = kernel.tick(now_ns)
            except (Exception, Halted) as error:
                batch = self._failed(site, error)
            if site.error is not None:
                self._halt(site, batch)
                return
            if batch:
                self._on(index + 1, site, batch)

    def _on(self, index: int, site: Site, batch: Sequence[Any]) -> None:
        site.meter.passed += len(batch)
        if index < len(self._steps):
            self._from(index, batch)
        else:
            self._outlet.on_batch(batch)

    def on_completed(self) -> None:
        if self._done:
            return
        for index, (kernel, site) in enumerate(() if self._finished else self._steps):
            try:
                batch = kernel.finish()
            except (Exception, Halted) as error:
                batch = self._failed(site, error)
            if site.error is not None:
                self._halt(site, batch)
            if self._done:
                return
            if batch:
                self._on(index + 1, site, batch)
        self._done = True
        self._outlet.on_completed()

    def on_error(self, error: Exception, /) -> None:
        """Stop now: what the kernels hold is not emitted, so it is counted."""
        if self._done:
            return
        self._done = True
        for kernel, site in self._steps:
            held = kernel.held()
            if held:
                site.meter.lose(Reason.BUG, 1, held)
        self._outlet.on_error(error)

    def snapshot(self) -> list[bytes]:
        """The state of every kernel, in order, and one more where it is done. A foreign kernel may have no snapshot."""
        for kernel, _ in self._steps:
            if type(kernel).snapshot is Kernel[Any, Any].snapshot and not are_ours((type(kernel),)):
                raise TypeError(f"{type(kernel).__name__} has no `snapshot` and `restore`, so that it cannot be saved")
        return [*(kernel.snapshot() for kernel, _ in self._steps), *([b""] if self._done or self._finished else [])]

    def restore(self, states: Sequence[bytes], /) -> None:
        self._finished = len(states) > len(self._steps)
        for (kernel, _), state in zip(self._steps, states[: len(self._steps)], strict=True):
            kernel.restore(state)

    def held(self) -> int:
        """Bytes inside the chain."""
        return sum(kernel.held() for kernel, _ in self._steps)


class _Timed(Kernel[Any, Any]):
    """A kernel, and the time of the clock that it takes."""

    def __init__(self, kernel: Kernel[Any, Any], site: Site) -> None:
        self._kernel = kernel
        self._meter = site.meter

    def _time(self, act: Callable[..., Sequence[Any]], *given: Any) -> Sequence[Any]:
        began_ns = time.perf_counter_ns()
        try:
            return act(*given)
        finally:
            self._meter.spent_ns += time.perf_counter_ns() - began_ns

    def feed(self, batch: Sequence[Any], /) -> Sequence[Any]:
        return self._time(self._kernel.feed, batch)

    @property
    def ticks(self) -> bool:
        return self._kernel.ticks

    def tick(self, now_ns: int, /) -> Sequence[Any]:
        return self._time(self._kernel.tick, now_ns)

    def finish(self) -> Sequence[Any]:
        return self._time(self._kernel.finish)

    def snapshot(self) -> bytes:
        return self._kernel.snapshot()

    def restore(self, state: bytes, /) -> None:
        self._kernel.restore(state)

    def held(self) -> int:
        return self._kernel.held()


class _Singles(Generic[E]):
    """Hands single events to an ordinary Rx observer."""

    def __init__(self, engine: Engine, root: str, observer: abc.ObserverBase[E]) -> None:
        self._observer = observer
        self._engine = engine
        self._root = root
        engine.be_fine()
        self.singles = 2 if engine.subscribes_again or _feeds_subject(observer) else 1
        self._site: Site | None = None

    def on_batch(self, batch: Sequence[E], /) -> None:
        events = iter(batch)
        following = self._observer.on_next
        while True:
            try:
                for event in events:
                    following(event)
                return
            except Exception as error:
                if self._site is None:
                    self._site = Site(self._engine, f"{self._root}/subscriber", ours=False)
                try:
                    self._site.bug(error)
                except Halted:
                    self._observer.on_error(error)
                    return

    def on_completed(self) -> None:
        self._observer.on_completed()

    def on_error(self, error: Exception, /) -> None:
        self._observer.on_error(error)


class _Origin(Generic[E]):
    def __init__(self, node: Node, hub: Callable[[], Hub[E]]) -> None:
        self.name = node.name
        self._node = node
        self.hub = hub

    def attach(self, engine: Engine, outlet: Outlet[E], /) -> abc.DisposableBase:
        return engine.join(self, self.hub, outlet)

    def node(self) -> Node:
        return self._node


class _Given(Generic[E]):
    """A Reader over batches that are there already."""

    def __init__(self, batches: Sequence[Sequence[E]]) -> None:
        self._batches = iter([batch for batch in batches if batch])

    def open(self) -> None:
        pass

    def poll(self, timeout: float, /) -> Sequence[E] | None:
        return next(self._batches, None)

    def lost(self) -> Sequence[E]:
        return ()

    def close(self) -> Sequence[E]:
        return ()


class _Shared(Generic[E]):
    def __init__(self, stream: Stream[E]) -> None:
        self._stream = stream
        self.name = stream.name

    def attach(self, engine: Engine, outlet: Outlet[E], /) -> abc.DisposableBase:
        shared = engine.state(self, lambda: _SharedRun[E](engine))
        return shared.join(self._stream, outlet)

    def node(self) -> Node:
        return Node("share", "", (self._stream.node(),))


class _SharedRun(Generic[E]):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._outlets: list[Outlet[E]] = []
        self._upstream: abc.DisposableBase | None = None
        self._ended = False
        self._error: Exception | None = None  # it has ended by this

    @property
    def singles(self) -> int:
        """Its own branches are served in order here. A branch that may subscribe again may subscribe to a stream above, too."""
        return max((outlet.singles for outlet in self._outlets), default=0)

    def join(self, stream: Stream[E], outlet: Outlet[E]) -> abc.DisposableBase:
        if self._ended:
            outlet.on_completed() if self._error is None else outlet.on_error(self._error)
            return Disposable()
        self._outlets.append(outlet)
        if self._upstream is None:
            self._upstream = stream.attach(self._engine, self)
        return Disposable(lambda: self._leave(outlet))

    def _leave(self, outlet: Outlet[E]) -> None:
        if outlet in self._outlets:
            self._outlets.remove(outlet)
        if not self._outlets and self._upstream is not None and not self._ended:
            self._upstream.dispose()
            self._upstream = None

    def on_batch(self, batch: Sequence[E], /) -> None:
        if needs_order(self._outlets) and len(batch) > 1:
            self._engine.apart(self._deliver, batch)
        else:
            self._deliver(batch)

    def _deliver(self, batch: Sequence[E]) -> None:
        for outlet in tuple(self._outlets):
            outlet.on_batch(batch)

    def on_completed(self) -> None:
        self._ended = True
        for outlet in tuple(self._outlets):
            outlet.on_completed()

    def on_error(self, error: Exception, /) -> None:
        self._ended, self._error = True, error
        for outlet in tuple(self._outlets):
            outlet.on_error(error)


class _Gathered(Generic[E]):
    """Any Observable as the root of a Stream."""

    def __init__(self, source: Observable[E]) -> None:
        self._source = source
        self.name = _node_of(source).name

    def attach(self, engine: Engine, outlet: Outlet[E], /) -> abc.DisposableBase:
        door = Door(engine, outlet)
        upstream = self._source.subscribe(door.on_next, door.on_error, door.on_completed, scheduler=engine)
        return CompositeDisposable(upstream, Disposable(door.close))

    def node(self) -> Node:
        return _node_of(self._source)


class _Named(Observable[E_co]):
    """What a stock operator returned, remembering its name and what it stands on: it stays in the run. Adds no hop."""

    def __init__(self, inner: Observable[E_co], node: Node) -> None:
        super().__init__()
        self._inner = inner
        self._node = node

    @property
    def unnamed(self) -> Observable[E_co]:
        """What the operator returned."""
        return self._inner

    def pipe(self, *operators: Callable[[Any], Any]) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _piped(self, operators)

    def _subscribe_core(
        self, observer: abc.ObserverBase[E_co], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        engine = engine_of(scheduler)

        def on_error(error: Exception) -> None:
            engine.note_failure(error, self._node)
            observer.on_error(error)

        def subscribe() -> abc.DisposableBase:
            with engine.within(lambda: may_subscribe_again(self._node)):
                return self._inner.subscribe(observer.on_next, on_error, observer.on_completed, scheduler=engine)

        return engine.here(subscribe)

    def node(self) -> Node:
        return self._node


def _piped(source: Stream[Any] | _Named[Any], operators: Sequence[Callable[[Any], Any]]) -> Any:
    last: Any = source
    node = source.node()
    for operator in operators:
        refuse_others("pipe", "operators, such as op.keep(f)", [operator], callable)
        made: Any = operator(last)
        wrapped = _wrapped(operator)
        if _is(made, Stream) or (_is(made, _Named) and not wrapped.__module__.startswith("reactivex.")):
            node, last = _node_of(made), made
            continue
        node = _stock_node(operator, wrapped, node)
        if _is(made, _Named):  # RxPY made this operator of others, of which the author of the graph knows nothing
            made = made.unnamed
        # who gets a ConnectableObservable wants to call its `connect`
        plain = _is(made, Observable) and not _is(made, ConnectableObservable)
        last = _Named[Any](made, node) if plain else made
    return last


def _is(made: object, *kinds: type) -> bool:
    return isinstance(made, kinds)


def _wrapped(operator: Callable[[Any], Any]) -> Any:
    """RxPY wraps its operators by a currying function whose closure holds the one with the real name, `map_`."""
    return next((inner for inner in _cells(operator) if callable(inner)), operator)


def _cells(operator: Callable[[Any], Any]) -> list[Any]:
    return [cell.cell_contents for cell in getattr(operator, "__closure__", None) or ()]


def _stock_node(operator: Callable[[Any], Any], wrapped: Any, source: Node) -> Node:
    """What a stock operator stands on: streams among the arguments that its closure holds are inputs too."""
    name: str = getattr(wrapped, "__qualname__", type(wrapped).__name__)
    others = [_node_of(each) for cell in _cells(operator) if _is(cell, tuple) for each in cell if _is(each, Observable)]
    return Node(name.split(".")[0].strip("_"), "", (source, *others), ours=False)


def _feeds_subject(observer: object) -> bool:
    """RxPY wraps the observer of `subscribe`. A subject has subscribers of its own, whose branches may meet again."""
    return _is(getattr(getattr(observer, "_on_next", None), "__self__", None), Subject)


def _node_of(source: object) -> Node:
    if isinstance(source, Stream | _Named):
        return source.node()
    return Node("observable", type(source).__name__, ours=False)
