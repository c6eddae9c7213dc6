"""
Recordings: stores, recorded lines of our own, and lines of the original.

`own_lines` and `original_lines` read the two formats of lines; the first reads a recording in a spool too.
"""
