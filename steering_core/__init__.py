"""The science of steering vectors, as a library: no Django, no broker, no S3.

This file imports nothing, so that `errors`, `spec`, `pairs`, `vector`, `formats` and `client` load
without torch.
"""
