"""The Chat Completions API of OpenAI, and of the services that copied it."""
