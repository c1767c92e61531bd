"""Speed against published measurements: rows read and resolved, junk rejected, constants fitted, errors judged."""
