"""What a segment adds to minutes, hours and days; those of hours and days wait to be summed."""
