"""Models of other vendors on Vertex AI that speak the dialect of OpenAI's chat."""
