"""Recordings: stores, recorded lines of our own, and lines of the original."""
