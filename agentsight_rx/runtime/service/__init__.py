"""
A recorder that runs always: its unit for systemd, what it says to systemd, its limits, its figures for other machines.

`unit` has the text for systemd. `bounds` measures the recorder's memory, BPF tables included, against its limit, and sends
messages to systemd. `metrics` serves its figures over HTTP. `users` has the sessions of each user.
"""
