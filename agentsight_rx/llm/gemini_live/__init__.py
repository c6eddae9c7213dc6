"""The Live API of Google's Gemini, over WebSockets."""
