"""What no server needs: the command line, the demo, and the sink in place of Sentry's ingestion."""
