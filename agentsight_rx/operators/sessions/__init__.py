"""
The protocol of one connection: HTTP/1, HTTP/2 or WebSocket. One file a protocol, one interface.

Both ends of a conversation come together here.

On a connection: `http1`, `http2` and `websocket`. `websocket_dialects` finds the calls of models on a WebSocket, and each
dialect has a file.
Streamed answers: `stream_kinds` says which kind a stream is, `event_stream` puts one together, and `answer_progress` has its
text so far.
On pipes: `channel` has the lines of a pipe, and `rpc` the requests on it.
`unread` says which connections of a process were not read.
"""
