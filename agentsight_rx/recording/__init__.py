"""A recording, opened to read: its rows as typed iterators, whole calls, events, Arrow tables; and the file of own prices."""
