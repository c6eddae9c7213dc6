"""The Chat Completions API of OpenAI, also used by many others."""
