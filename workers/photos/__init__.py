"""Processing of an uploaded photo: checks, decoding in a child process, rendering, storage."""
