"""Text Generation Inference of Hugging Face."""
