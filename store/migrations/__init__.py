"""Alembic history. `store.schema.upgrade` runs it; views are not part of it (store/views.py)."""
