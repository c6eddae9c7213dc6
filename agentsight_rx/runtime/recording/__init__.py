"""
A recording, opened to read: its rows as typed iterators, whole calls, events, Arrow tables; and the file of own prices.

`opened` has the rows, calls, events and tables of a recording, and `price_file` the user's prices.
`guard_file` has the rules of a guard and the hosts of earlier recordings, `judged` a recording judged by rules.
`deciding` says which alerts wait for a person; `seen_file` lists the alerts that the person has seen.
"""
