"""Models behind endpoints of Amazon SageMaker."""
