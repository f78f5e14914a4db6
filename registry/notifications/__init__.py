"""What people are told: made of events of the log by `feeding`, read by `selectors`, mailed by `mailing`."""
