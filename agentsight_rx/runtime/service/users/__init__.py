"""
Each user's own sessions, in a store that a process of that user writes: which events are theirs, and the way there.

`places` says whose an event is and has the directories of users. `pipe` carries events to the writers of users, and `sink` has
all of these writers.
"""
