"""Tables, bars and JSON: pure functions from values."""
