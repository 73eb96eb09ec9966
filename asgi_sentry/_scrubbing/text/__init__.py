"""Rules and finders for secrets within a text."""
