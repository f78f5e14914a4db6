"""Webhooks: what happened, sent to addresses that admins of a namespace named. The log is the outbox."""
