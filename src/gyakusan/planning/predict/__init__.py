"""What one model on one machine does: speed with its interval, quality, largest load."""
