"""Many people: replicas, machines, queueing, costs."""
