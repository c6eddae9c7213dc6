"""Models by the interfaces of Google: Gemini, its interactions, its live sessions."""
