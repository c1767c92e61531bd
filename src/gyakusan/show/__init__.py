"""Screens as trees of messages, and the terminal that draws them."""
