"""Plans over computers that are there and differ: the smallest set of nodes for a load, and how the model lies on them."""
