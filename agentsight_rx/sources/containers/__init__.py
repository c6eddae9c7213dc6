"""Containers: references to them, their processes and their files."""
