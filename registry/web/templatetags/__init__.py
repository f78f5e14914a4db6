"""Tags that templates of every page may use."""
