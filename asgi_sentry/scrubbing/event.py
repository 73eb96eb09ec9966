"""Events in the wire form."""

KEEP = object()
