"""What runs in an engine's own environment: each module is a program that answers one job.

These files are copied next to the job and run there, so they import nothing of Bearing, but for
`transformers_side`, whose engine Bearing is. They read `job.json` and write `answer.json`, see `job`.
"""
