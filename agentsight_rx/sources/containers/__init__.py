"""Containers: how they are named, which processes are in one, and what it holds."""
