"""
The engine: time, streams, operators, and how batches move between threads.

Time: `engine` keeps it; `reading` sets the steps in which readers are asked.
Runs: `hub` is one source in a run, with and without threads, and `virtual` runs on a scheduler of virtual time.
Graphs: only `stream` turns a kernel into an Rx operator.
Operators: `machine` is the plain Python inside, a graph as a value, and why one ended. `kernels` and `per_key` make operators
of machines; `merge` joins streams, and takes an operator of another package.
Hand-over: `mailbox` says how much memory a buffer may take, and `sink` brings batches to destinations.
Limits: `bounded` is a dict of limited size, and `weight` the memory of events. `options` checks what a person chooses.
For all rooms: `errors`, `messages`, `signals`, `files`, and `start`, which keeps a start short.
"""
