"""
The rows of a capture: their kinds, ids, tables in a store, sums, and the words that name them.

`kinds` has the rows, `tables` their places in a store, `tally` their sums, and `weights` their sizes in memory.
`gap_counts` says when something was lost and from which session. `uses` sums the uses of models by agents.
`hosts` puts rows of several hosts beside each other.
"""
