"""Processes: started, recorded on disk, watched, restarted, put on hold and stopped."""
