"""What happened, in one append-only table: the audit log, and the outbox that webhooks are made from."""
