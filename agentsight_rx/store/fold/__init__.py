"""
Events of a capture -> rows: the rows of each kind, and how a late event changes rows that are out already.

`views` takes each event as it comes, and `fold` makes the rows as if all had come in order. For this, `window` has the events
of the last seconds, and the rows that a late event changes.
`twins` says which calls are one. Each kind of row has a file, and `guard` makes the alerts.
"""
