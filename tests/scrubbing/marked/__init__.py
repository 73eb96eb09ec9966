"""Secrets in their places, between « and », and what looks like them: tables, by kinds."""
