"""Text generation of IBM's watsonx.ai."""
