"""
What a secret is, and how it becomes a label.

`shapes` and `names` say which text is a secret, and `redactor` puts a label in its place. `heads` does so for fields, `stream`
and `streams` for pieces of bytes, `answers` for unfinished answers, and `event_data` for the data of events.
"""
