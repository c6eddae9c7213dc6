"""A recorder that runs always, under load and through every accident: counts that must hold, and figures that are printed."""
