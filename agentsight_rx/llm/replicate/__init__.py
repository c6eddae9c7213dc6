"""Language models on Replicate."""
