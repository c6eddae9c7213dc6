"""The demo: a small agent and a fake model for it."""
