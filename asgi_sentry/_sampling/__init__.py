"""How many requests become transactions.

The decisions, without an event loop and without the SDK.
"""
