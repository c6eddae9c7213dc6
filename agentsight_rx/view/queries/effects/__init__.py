"""What calls led to: processes, files and connections."""
