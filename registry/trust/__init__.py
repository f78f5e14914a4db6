"""What people say of vectors: blind tests, and reports to staff, with what the service found for them."""
