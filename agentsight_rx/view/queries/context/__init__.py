"""What filled the context of a model, call by call."""
