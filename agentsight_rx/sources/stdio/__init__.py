"""Pipes, unix sockets and terminals: what processes write there and what others read from it."""
