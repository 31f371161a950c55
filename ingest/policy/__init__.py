"""When a feed is asked next, and how it is: pure decisions."""
