"""What asgi-sentry costs, beside what others cost that do the same job. See README.md for the method."""
