"""The check of a recorded history against the promises. Pure: lines in, violations out."""
