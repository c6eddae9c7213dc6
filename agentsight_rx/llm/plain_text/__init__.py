"""Text in, text out: the older APIs of models that several clouds host. No provider of its own."""
