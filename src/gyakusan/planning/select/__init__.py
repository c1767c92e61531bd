"""From candidates that fit to confirmed plans: ranking by role, relaxations, why-not, what-if, side by side."""
