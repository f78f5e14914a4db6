"""Running engines to see how they apply a vector: `adapters` has one for each, `running` runs it in a process
of its own, and `sides` is what runs there. `steering_core.formats.engines` writes the files that they read.
"""
