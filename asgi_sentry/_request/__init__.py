"""What one request is: its facts, the decision about it, and what is sent of it."""
