"""What serving files leaves behind: their forms for other engines, and counts of downloads."""
