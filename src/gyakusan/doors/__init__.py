"""Doors for what comes from outside: text that is shown, files that are read, JSON and TOML that are parsed."""
