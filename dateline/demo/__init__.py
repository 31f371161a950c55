"""`dateline demo`: a sample world served over HTTP, and the real pipeline reading it."""

from pathlib import Path

# The sample world, its events and outlets.
EXAMPLES = Path(__file__).parents[2] / "examples"
