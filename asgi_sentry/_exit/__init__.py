"""The last place before the network: everything that leaves is scrubbed here."""
