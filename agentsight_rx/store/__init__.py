"""
What a capture keeps: events in their order, and the rows that are made of them.

`state`: tables and their indexes, in memory and in LMDB. `rows`: the kinds of rows, their ids, tables and sums. `fold`: how
events become rows, and rows become alerts in `fold/guard`. `log`: the event log of a store. `spool`: events in closed segments.
`reasons` puts a loss into words; `words` has the words that all of them share.
"""
