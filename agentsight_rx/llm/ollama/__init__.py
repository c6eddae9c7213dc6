"""The own API of Ollama."""
