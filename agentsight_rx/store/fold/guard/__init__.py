"""
The guard: what agents do, as the rows of a capture know it -> alerts.

`chain` leads from a process to its tool and session. `effects` and `talk` make the deeds that rules judge.
`context` makes the alerts and their sentences, and `state` is the memory of the guard.
"""
