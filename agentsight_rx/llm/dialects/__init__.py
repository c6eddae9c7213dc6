"""One file a dialect: how its requests and answers are read. Those of a vendor with several have a folder."""
