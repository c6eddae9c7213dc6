"""
The protocol of one connection: HTTP/1, HTTP/2 or WebSocket. One file a protocol, one interface.

Both ends of a conversation come together here.

On a connection: `http1`, `http2` and `websocket`. `websocket_dialects` finds the calls of models on a WebSocket.
Streamed answers: `stream_kinds` says which kind a stream is, `event_stream` puts one together, and `message` has an answer's
text so far. `flood` is what too many heads look like.
On pipes: `channel` has the lines of a pipe, and `rpc` the requests on it.
`unread` says which connections of a process were not read.
"""
