"""Our own disk, memory and series: measured, governed, given back."""
