"""What is appended to the log and written down of each poll, in batches."""
