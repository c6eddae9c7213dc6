"""
The event log of a store: how it is written in parts, read, cut by retention, and continued.

`parts` and `contents` write the log, and `reading` reads it. `checkpoints` keeps the state of the fold from time to time.
`retention` removes old data, and `upgrades` brings an older store to this version.
"""
