"""
Agents, calls of models, tools and processes as OpenTelemetry spans, and metrics of the calls: made, and sent.

`writer` says what the sink does with rows, and `tree` turns them into spans. `names` is the table of attributes.
The parts of spans: `agents`, `chat`, `tools`, `processes`, `effects` and `content`; `alerts` has the spans of a guard.
`metrics` has the histograms of calls. `sender` sends both over HTTP or gRPC, and `json_lines` writes spans to a file.
`replayed` makes the same spans from a recording.
"""
