"""The engine: time, streams, operators, and how batches move between threads."""
