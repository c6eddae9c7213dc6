"""The Realtime API of OpenAI."""
