"""The only strings that the service and its workers share. A test asserts that each is registered once."""

EXTRACT = "bearing.extract"

QUEUE_OF = {EXTRACT: "gpu"}
