"""Feeds in and out: found, listed, checked."""
