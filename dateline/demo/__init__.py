"""`dateline demo`: a sample world served over HTTP, and the real pipeline reading it."""
