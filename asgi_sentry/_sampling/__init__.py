"""How many requests become transactions: the decisions, without an event loop and without the SDK."""
