"""The event log of a store: how it is written in parts, read, cut by retention, and continued."""
