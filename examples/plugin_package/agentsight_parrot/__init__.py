"""Parts for agentsight-rx that live in a package of their own; pyproject.toml names them."""
