"""
Agents that run on this machine: found as they start, and what reads them, open only while one of them runs.

`finder` and `choice` find the agents that run, and `on_demand` opens sources for them.
"""
