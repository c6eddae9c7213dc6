"""The web page: a sink that serves what it gets to clients with the token of the run."""

from .server import WebOptions, WebSink, web

__all__ = ["WebOptions", "WebSink", "web"]
