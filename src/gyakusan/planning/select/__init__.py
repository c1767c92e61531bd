"""From candidates to ranked plans, and why the others are not among them."""
