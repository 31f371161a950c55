"""Topic detection: each embedded article is placed, as it arrives, in a story."""
