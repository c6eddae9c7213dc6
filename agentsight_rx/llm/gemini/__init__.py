"""generateContent of Google's Gemini API, Vertex AI and Code Assist."""
