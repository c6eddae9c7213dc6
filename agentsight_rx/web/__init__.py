"""The web page: of a run while it goes on, and of recordings, for clients with the token."""

from .server import StoredPage, WebOptions, WebSink, serve_stored, web

__all__ = ["StoredPage", "WebOptions", "WebSink", "serve_stored", "web"]
