"""
The flags that commands share: a file for each group, which makes the options of its own sources and sinks.

These files do not import `annotations` from `__future__`: to read 60 annotations that are text takes 3 ms of each start.
"""
