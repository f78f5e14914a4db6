"""`python -m steering_core.client` is the `bearing` command."""

from steering_core.client.cli import main

if __name__ == "__main__":
    main()
