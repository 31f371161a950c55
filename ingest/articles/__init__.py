"""Which article an item is, which revision of it, and what becomes of it."""
