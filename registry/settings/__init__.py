"""Settings: `env` reads the environment once, `base` holds what is common, the rest say what differs."""
