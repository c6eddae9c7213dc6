"""A recorder that runs always: its unit for systemd, what it says to systemd, its limits, its figures for other machines."""
