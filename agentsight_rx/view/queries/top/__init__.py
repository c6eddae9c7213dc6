"""What each agent does now."""
