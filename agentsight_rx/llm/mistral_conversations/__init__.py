"""The Conversations API of Mistral."""
