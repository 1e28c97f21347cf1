"""Background jobs: what wraps each of them, and what is known of their runs."""
