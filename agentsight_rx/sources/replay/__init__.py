"""Recorded lines: our own, and those of the original."""
