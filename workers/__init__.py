"""Celery workers: they claim runs, do the science with steering_core, and hand results to the
registry's services.
"""
