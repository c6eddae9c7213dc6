"""Models that are invoked on Amazon Bedrock with bodies of their vendors."""
