"""
What the commands that capture share: how they see, what they start, where it goes, how they end.

`ways` chooses between the kernel and breakpoints, and `launch` starts the command under `record`. `destinations` has every
group of flags that makes sinks; `deliveries` makes the sink of alerts, and `stopping` halts an agent. `continuing` goes on in a
store. `capture` prints the graph, and `closing` the last lines.
"""
