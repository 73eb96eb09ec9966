"""The schema of what Sentry is sent."""
