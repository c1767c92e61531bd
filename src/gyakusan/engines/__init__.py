"""One module for each server: its memory rules, flags, launch and log lines."""
