"""Start a planned server, wait until it is ready, ask it, compare what it reports with the plan, stop it."""
