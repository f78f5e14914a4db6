"""What people say of vectors: blind tests."""
