"""The only strings that the service and its workers share. A test asserts that each is registered once."""

EXTRACT = "bearing.extract"
MIGRATE = "bearing.migrate"
IMPORT = "bearing.import"
COMPOSE = "bearing.compose"
DERIVE = "bearing.derive"

QUEUE_OF = {EXTRACT: "gpu", MIGRATE: "gpu", IMPORT: "gpu", COMPOSE: "gpu", DERIVE: "gpu"}
