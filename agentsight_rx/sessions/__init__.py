"""The protocol of one connection: HTTP/1, HTTP/2 or WebSocket. One file a protocol, one interface."""
