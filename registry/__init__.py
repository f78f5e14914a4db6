"""The service: accounts, datasets, catalog, runs, and the REST and web interfaces over them."""
