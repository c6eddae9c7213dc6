"""
The rows of a capture: their kinds, ids, tables in a store, sums, and the words that name them.

`kinds` has the rows, `tables` their places in a store, `kind` what differs from kind to kind, and `tally` their sums.
`gap_counts` says when something was lost and from which session. `uses` sums the uses of models by agents.
"""
