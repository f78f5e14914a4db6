"""PostgreSQL and Valkey from PyPI wheels, and the whole service around them, without root, Docker or apt.

`servers` starts and stops the two servers, `stack` the service on top of them, `demo` walks through the main
job as a user would. Nothing here imports Django: the service is reached through its commands and its address.
"""
