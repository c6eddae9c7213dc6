"""
The session files that agents wrote -> SessionEntry events, each file in pieces, from where it was read to.

`files`: which files there are, and how they are opened. `source`: the Stream of what stands in them.
"""
