"""Asking feeds in time, politely, and never two pollers at once."""
