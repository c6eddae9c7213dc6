"""
The event log of a store: how it is written in parts, read, cut by retention, and continued.

`parts` writes the log, and `reading` reads it. `resuming` keeps the state of the fold from time to time, and goes on from it.
`upkeep` removes old data, and brings an older store to this version.
"""
