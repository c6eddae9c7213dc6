"""Models by the interfaces of OpenAI, which many vendors speak: chat, responses, realtime."""
