"""The layers, one a module."""
