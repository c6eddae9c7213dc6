"""Raw records of a connection -> the same without secrets, even where framing stands inside of one."""
