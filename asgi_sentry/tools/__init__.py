"""What no server needs: the command line, the demo, and the sink that stands in for Sentry's ingestion."""
