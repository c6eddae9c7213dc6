"""
The web page: of a run while it goes on, and of recordings, for clients with the token.

Answers: `api` and `stream` make them. `recordings` says which recordings the page may show, `pictures` caches their data,
and `search` keeps the index of their texts.
Server: `place` has its socket, address and token, `server` starts it at the first client, `serving` runs it on its thread,
and `connections` limits its clients.
`app` has the built page.
"""

from .place import WebOptions
from .server import StoredPage, WebSink, serve_stored, web

__all__ = ["StoredPage", "WebOptions", "WebSink", "serve_stored", "web"]
