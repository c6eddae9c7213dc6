"""Each user's own sessions, in a store that a process of that user writes: which events are theirs, and the way there."""
