"""Parsers of request bodies."""
