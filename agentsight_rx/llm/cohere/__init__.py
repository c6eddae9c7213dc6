"""The Chat API of Cohere, version 2."""
