"""
The public modules -> a line for each public name, with its signature.

    python -m scripts.public_api > tests/public_api.txt

docs/library.md says what is public. tests/test_public_api.py compares the file with the code, so no name changes by accident.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Set
from enum import Enum
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, ForwardRef, get_args, is_typeddict

from msgspec import NODEFAULT, Raw, Struct
from msgspec.structs import fields

__all__ = ["MODULES", "public_api"]

MODULES = (
    "agentsight_rx",
    "agentsight_rx.errors",
    "agentsight_rx.events",
    "agentsight_rx.llm",
    "agentsight_rx.llm.canonical",
    "agentsight_rx.llm.reader",
    "agentsight_rx.operators",
    "agentsight_rx.plugins",
    "agentsight_rx.sinks",
    "agentsight_rx.sources",
    "agentsight_rx.testing",
    "agentsight_rx.view",
)
_OURS = "agentsight_rx"
_SPOKEN = ("__init__", "__aiter__", "__anext__", "__call__", "__enter__", "__exit__", "__iter__")  # methods that syntax calls


def public_api() -> Iterator[str]:
    """The lines, by name within each module."""
    modules = {name: import_module(name) for name in MODULES}
    found = [(name, each, getattr(module, each)) for name, module in modules.items() for each in sorted(module.__all__)]
    public = {value for _, _, value in found if inspect.isclass(value)}
    for name, each, value in found:
        if not isinstance(value, ModuleType):
            yield from _lines(f"{name}.{each}", value, public)


def _lines(name: str, value: Any, public: Set[type]) -> Iterator[str]:
    if inspect.isclass(value):
        yield f"class {name}({', '.join(_named(base) for base in value.__bases__ if base is not object)})"
        yield from _fields(name, value)
        yield from _members(name, value, public)
    elif isinstance(value, FunctionType):
        yield f"{name}{_signature(value)}"
    elif isinstance(value, tuple):
        yield f"{name}: tuple"  # what is in it is no signature
    else:
        yield f"{name} = {_named(value)}"


def _fields(name: str, kind: type[Any]) -> Iterator[str]:
    """Of a Struct, in their order; and the keys of a TypedDict."""
    for field in fields(kind) if issubclass(kind, Struct) else ():
        required = field.default is NODEFAULT and field.default_factory is NODEFAULT
        made = field.default if field.default_factory is NODEFAULT else field.default_factory()
        yield f"{name}.{field.name}: {_annotation(kind, field.name)}{'' if required else f' = {_value(made)}'}"
    if is_typeddict(kind):
        yield from (f"{name}[{key!r}]: {_text(value)}" for key, value in inspect.get_annotations(kind).items())


def _value(made: object) -> str:
    return "Raw()" if isinstance(made, Raw) else repr(made)


def _annotation(kind: type, field: str) -> str:
    found = (inspect.get_annotations(base) for base in kind.__mro__)
    return next(_text(each[field]) for each in found if field in each)


def _members(name: str, kind: type, public: Set[type]) -> Iterator[str]:
    """Of the class, and of its bases that are ours and not public themselves, by name."""
    known = kind.__struct_fields__ if issubclass(kind, Struct) else ()
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base is kind or (base.__module__.startswith(_OURS) and base not in public):
            found.update(vars(base))
    for member, value in sorted(found.items()):
        if member not in known and (not member.startswith("_") or member in _SPOKEN):
            yield from _member(f"{name}.{member}", value)


def _member(name: str, value: Any) -> Iterator[str]:
    inner: Any = getattr(value, "__func__", value)  # of a class method or a static one
    if isinstance(value, property):
        assert value.fget is not None
        yield f"{name}: {value.fget.__annotations__.get('return', 'Any')}"
    elif isinstance(inner, FunctionType):
        yield f"{name}{_signature(inner)}"
    elif isinstance(value, Enum):
        yield f"{name} = {value.value!r}"


class _Bare(str):
    """What stands for an annotation or a default in a signature, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = list(map(_parameter, signature.parameters.values()))
    returned = signature.return_annotation
    bare = returned if returned is signature.empty else _Bare(_text(returned))
    return str(signature.replace(parameters=parameters, return_annotation=bare))


def _parameter(given: inspect.Parameter) -> inspect.Parameter:
    annotation = given.annotation if given.annotation is given.empty else _Bare(_text(given.annotation))
    default = _Bare(given.default.__name__) if isinstance(given.default, FunctionType) else given.default
    return given.replace(annotation=annotation, default=default)


def _text(annotation: Any) -> str:
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else _named(annotation)


def _named(value: Any) -> str:
    """A type as a person writes it: the same in each version of Python."""
    if inspect.isclass(value) and not get_args(value):
        return value.__name__
    inner = get_args(value)
    return " | ".join(map(_named, inner)) if inner else str(value)


if __name__ == "__main__":
    print("\n".join(public_api()))
