"""Agents that run on this machine: found as they start, and what reads them, open only while one of them runs."""
