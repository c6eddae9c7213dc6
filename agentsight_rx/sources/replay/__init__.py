"""Recordings: stores, recorded lines of our own, and those of the original."""
