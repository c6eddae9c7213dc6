"""
What runs a graph, and what a run leaves.

`run`: the threads of a run, signals, the end. `resume`: its state, from which another run goes on. `aio`: a run as `async for`.
`plugins`: parts of other packages. `recording`: a recording for programs. `cluster`: the spools of many hosts on many workers.
`service`: a recorder that runs always. `web`: the server of the page. `testing`: tests of your own operators.
"""
