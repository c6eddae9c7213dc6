"""How every report is shown: as text, as JSON, as Markdown; and the words that several reports use."""
