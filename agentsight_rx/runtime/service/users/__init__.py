"""
Each user's own sessions, in a store that a process of that user writes: which events are theirs, and the way there.

`owners` says whose an event is, and `places` has the directories of users. `frames` and `pipe` carry events to the writers of
users, and `sink` has all of these writers.
"""
