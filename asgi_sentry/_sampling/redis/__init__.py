"""Limits and budgets that processes share by Redis."""
