"""The Assistants API of OpenAI for agentsight-rx: OpenAI ended it in 2026, and some vendors and recordings still have it."""
