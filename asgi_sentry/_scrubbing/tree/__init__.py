"""The walk over plain data."""
