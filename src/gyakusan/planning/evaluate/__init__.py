"""Memory, speed, quality and price of every combination, as columns; what fits is kept."""
