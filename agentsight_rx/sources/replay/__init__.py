"""Recorded lines: our own, and those that the original prints."""
