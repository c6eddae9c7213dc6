"""
What a secret is, and how it becomes a label.

`shapes` and `names` say which text is a secret, and `redactor` puts a label in its place, in fields too. `streams` does so for
pieces of bytes, `resent` for unfinished answers and repeated contents, and `event_data` for the data of events.
"""
