"""Texts written on the spot, without and with a mix of vectors. Nothing of it is kept: docs/adr/0026."""
