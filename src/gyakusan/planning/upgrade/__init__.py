"""What to buy next for a machine that the user owns."""
