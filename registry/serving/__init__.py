"""What serving files leaves behind: forms for other engines, counts of downloads, and a dump once a day."""
