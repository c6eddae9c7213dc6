"""The Chat API of Cohere, version 1."""
