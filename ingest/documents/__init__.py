"""A feed document, whatever its format and encoding, to clean items."""
