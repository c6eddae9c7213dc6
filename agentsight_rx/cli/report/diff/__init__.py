"""Two runs or two versions, compared."""
