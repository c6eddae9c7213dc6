"""
Agents, calls of models, tools and processes as OpenTelemetry spans, and metrics of the calls: made, and sent.

`sink` begins with the first row, `writer` says what it does with rows, and `tree` turns them into spans. `names` is the table
of attributes. The parts of spans: `agents` with alerts of a guard, `chat`, `content`, and `work`: tools, processes and what
they did. `metrics` has the histograms of calls. `sender` sends both over HTTP or gRPC, to a `destination`. `replayed` makes
the same spans from a recording, also into a file.
"""
