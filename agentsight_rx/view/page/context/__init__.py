"""The context of a model, for the page."""
