"""
Body of a request -> Asked, in one way for all dialects.

A dialect has a Struct of the fields that it reads, a function that says what they mean, and a table of where the parameters
are: `{"max_tokens": ("options.num_predict", "max_tokens")}`. The Struct gets the fields of the table too. So one decoder reads
the body, and names each unreadable field.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, cast, get_args

import msgspec
from msgspec import Struct

from .canonical import Asked, Parameters
from .lenient import Fields
from .request_fields import RequestFields
from .resent import Elements, Resent, Whole

R = TypeVar("R", bound=RequestFields)
E = TypeVar("E", bound=Struct)
T = TypeVar("T")


class Place(NamedTuple):
    """Where a parameter is, and its type, where that is not the usual one: `Place("thinking.budget_tokens", Whole)`."""

    path: str
    type: Any = None


Where: TypeAlias = str | Place | tuple[str | Place, ...]  # of several places the first that was sent is right

_LAST = 100  # a rank behind all places
_USUAL: Mapping[str, Where] = {"temperature": "temperature", "top_p": "top_p"}
_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("max_tokens", "seed", "choices"), Whole),
    **dict.fromkeys(("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"), float),
    **dict.fromkeys(("reasoning", "output_type", "service_tier"), str),
    "stop": str | list[str],
}


class Requests(Generic[R]):
    """
    The reader of a dialect's requests: `request = Requests(_Request, _said, {…})`, then `request(body)`.

    `said` makes the messages, the tools and whatever else only this dialect has. `wrapper` is the field in which some clients
    put the whole request.
    """

    def __init__(
        self, type: type[R], said: Callable[[R], Asked], parameters: Mapping[str, Where] | None = None, *, wrapper: str = ""
    ) -> None:
        self._said = said
        self._wrapper = wrapper
        inner, self._nodes = _joined(type, _tree({**_USUAL, **(parameters or {})}))
        whole = _with(inner, [(wrapper, inner | None, None)]) if wrapper else inner
        self.type = cast("builtins.type[R]", whole)
        self.fields: Fields[R] = Fields(self.type)

    def __call__(self, body: bytes, /) -> Asked:
        """Never raises: a body that is not such a request gives an empty Asked."""
        found = self.fields.read(body)
        return Asked() if found is None else self.asked(found.value, self._said(found.value), found.unknown)

    def asked(self, sent: R, said: Asked, unknown: tuple[str, ...], /) -> Asked:
        """The request, of what its dialect said and the fields of all."""
        fields = self.unwrapped(sent)
        session, conversation = fields.client_ids()
        return Asked(
            model=fields.model or said.model,
            stream=fields.stream or said.stream,
            operation=said.operation,
            messages=said.messages,
            tools=tuple([tool for tool in said.tools if tool.name]),
            parameters=self._parameters(fields),
            session_id=session or said.session_id,
            conversation_id=conversation or said.conversation_id,
            previous_response_id=said.previous_response_id,
            unknown=unknown,
        )

    def unwrapped(self, sent: R, /) -> R:
        """The request that a client wrapped, or else the request."""
        inner: R | None = getattr(sent, self._wrapper) if self._wrapper else None
        return sent if inner is None else inner

    def _parameters(self, fields: R) -> Parameters:
        found: dict[str, tuple[int, Any]] = {}
        _find(fields, self._nodes, found)
        return Parameters(**{name: _NORMAL[name](sent) if name in _NORMAL else sent for name, (_, sent) in found.items()})


class ResentRequests(Requests[R], Generic[R, E, T]):
    """As Requests, for a dialect whose clients send the same messages again: it decodes a known message only once."""

    def __init__(
        self,
        type: type[R],
        said: Callable[[R, list[T]], Asked],
        parameters: Mapping[str, Where],
        *,
        field: str,  # the list of messages
        element: type[E],
        made: Callable[[E], T],
        listed: Callable[[R], Iterable[E]],  # the elements, where the list was decoded with the request
        wrapper: str = "",
    ) -> None:
        super().__init__(type, lambda sent: said(sent, [made(each) for each in listed(sent)]), parameters, wrapper=wrapper)
        self._said_again = said
        self._elements: Elements[R, E, T] = Elements(field, self.type, element=element, made=made)

    def again(self, body: bytes, resent: Resent, /) -> Asked:
        """The same; `resent` has the messages of the requests before."""
        known = self._elements.read(body, resent)
        if known is None or self.unwrapped(known[0]) is not known[0]:
            return self(body)
        sent, made = known
        return self.asked(sent, self._said_again(sent, made), ())


# -- table ---------------------------------------------------------------------------------------------------------
# Places of parameters -> a Struct with their fields, and how to find them in it.

_Tree: TypeAlias = dict[str, Any]  # name of a field -> the fields in it, or the _Leaf that it is


class _Leaf(NamedTuple):
    name: str  # of the parameter
    rank: int  # among its places
    type: Any


class _Node(NamedTuple):
    """A field of the Struct, and the nodes in it."""

    attribute: str
    leaf: _Leaf | None
    below: list[_Node]


def _tree(table: Mapping[str, Where]) -> _Tree:
    tree: _Tree = {}
    for name, where in table.items():
        places = where if isinstance(where, tuple) and not isinstance(where, Place) else (where,)
        for rank, each in enumerate(places):
            place = Place(each) if isinstance(each, str) else each
            *above, last = place.path.split(".")
            fields = tree
            for field in above:
                fields = fields.setdefault(field, {})
            fields[last] = _Leaf(name, rank, place.type or _TYPES[name])
    return tree


def _joined(base: type[Struct], tree: _Tree) -> tuple[type[Struct], list[_Node]]:
    """The Struct with the fields of the tree beside its own, which some of them are."""
    own = {field.encode_name: field for field in msgspec.structs.fields(base)}
    added: list[tuple[str, Any, Any]] = []
    nodes: list[_Node] = []
    for name, what in tree.items():
        attribute = own[name].name if name in own else name
        if isinstance(what, _Leaf):
            added += [] if name in own else [(name, what.type | None, None)]
            nodes.append(_Node(attribute, what, []))
            continue
        types: tuple[Any, ...] = get_args(own[name].type) if name in own else (Struct, None)
        inner, below = _joined(next(each for each in types if _is_struct(each)), what)
        joined: Any = None
        for each in types:
            joined |= inner if _is_struct(each) else each
        added.append((attribute, joined, msgspec.field(default=None, name=name)))
        nodes.append(_Node(attribute, None, below))
    return _with(base, added), nodes


def _is_struct(type: Any) -> bool:
    return isinstance(type, builtins.type) and issubclass(type, Struct)


def _with(base: type[Struct], fields: list[tuple[str, Any, Any]]) -> type[Struct]:
    return msgspec.defstruct(base.__name__, fields, bases=(base,), module=base.__module__)


def _find(value: Struct, nodes: list[_Node], found: dict[str, tuple[int, Any]]) -> None:
    for attribute, leaf, below in nodes:
        sent = getattr(value, attribute)
        if sent is None or sent == "" or sent == []:
            continue
        if leaf is None:
            if isinstance(sent, Struct):
                _find(sent, below, found)
            continue
        rank = leaf.rank
        if leaf.name == "reasoning" and sent == 0:  # the type beside a budget of 0 says more
            rank += _LAST
        if leaf.name not in found or rank < found[leaf.name][0]:
            found[leaf.name] = rank, sent


def _stop(sent: str | list[str]) -> tuple[str, ...]:
    return (sent,) if isinstance(sent, str) else tuple(sent)


def _reasoning(sent: str | int) -> str:
    """An effort or a budget, or whether to reason at all."""
    return str(sent).lower() if isinstance(sent, bool) else str(sent)


def _output_type(sent: str | list[str] | dict[str, Any]) -> str | None:
    """`json_object`, `application/json` or a schema is json; a list is of modalities; another media type says nothing."""
    if isinstance(sent, dict):
        return "json"
    if isinstance(sent, list):
        return "speech" if "audio" in sent else sent[0]
    kind = sent.removeprefix("application/")
    return "json" if kind.startswith("json") else None if "/" in kind else kind


def _max_tokens(sent: int | str) -> int | None:
    """`inf` is no limit."""
    return sent if isinstance(sent, int) else None


_NORMAL: Mapping[str, Callable[[Any], Any]] = {
    "max_tokens": _max_tokens,
    "stop": _stop,
    "reasoning": _reasoning,
    "output_type": _output_type,
}
