"""Files on their way in, part by part."""
