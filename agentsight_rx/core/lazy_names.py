"""Where the public names of a package are -> its `__getattr__` (PEP 562), which imports each when it is first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["deferred"]


def deferred(package: str, places: Mapping[str, Sequence[str]], modules: Mapping[str, str]) -> Callable[[str], Any]:
    """
    `places`: the names in each module of `package`; `modules`: names that are modules themselves.

    A capture needs most of the program, and takes most of a second to import it; a report needs little of it. No name may be
    the name of a module in `package` unless it means that module: to import the module sets the name.
    """
    place_of = {name: place for place, names in places.items() for name in names}

    def found(name: str) -> Any:
        if name in modules:
            value: Any = import_module(modules[name], package)
        elif name in place_of:
            value = getattr(import_module(place_of[name], package), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return found
