"""The sources that have programs in the kernel, each as a graph of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentsight_rx import sources
from agentsight_rx.core.stream import Stream
from agentsight_rx.sources import (
    FileOptions,
    NetOptions,
    PlainHttpOptions,
    ProcessOptions,
    ReadlineOptions,
    StdioOptions,
    Target,
    TlsOptions,
)

__all__ = ["KERNEL_SOURCES"]

# By name: a target, and whether probes are attached as uprobe_multi links where the kernel has them -> what it emits
KERNEL_SOURCES: Mapping[str, Callable[[Target, bool], Stream[Any]]] = {
    "process": lambda target, _: sources.process(ProcessOptions(target)),
    "files": lambda target, _: sources.files(FileOptions(target)),
    "net": lambda target, _: sources.net(NetOptions(target)),
    "stdio": lambda target, _: sources.stdio(StdioOptions(target)),
    "plain_http": lambda target, _: sources.plain_http(PlainHttpOptions(target)),
    "readline": lambda target, multi: sources.readline(ReadlineOptions(target, multi=multi)),
    "tls": lambda target, multi: sources.tls(TlsOptions(target, multi=multi)),
}
