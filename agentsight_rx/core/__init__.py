"""
The engine: time, streams, operators, and how batches move between threads.

Time: `engine` keeps it, and `pace` sets its steps.
Runs: `hub` is one source in a run, and `reading` opens all of them. `inline` runs without threads, `virtual` on a scheduler
of virtual time.
Graphs: only `stream` turns a kernel into an Rx operator. `node` is a graph as a value, and `failing` says why one ended.
Operators: `machine` is the plain Python inside. `kernels`, `per_key` and `compose` make operators of machines, and `merge`
joins streams. `beside_losses` takes an operator of another package.
Hand-over: `mailbox`, `sink` and `sink_thread` bring batches to destinations.
Limits: `bounded` is a dict of limited size, and `capacity` says how much memory a buffer may take.
`options` checks what a person chooses.
"""
