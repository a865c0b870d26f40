"""GET /v1/live: streams of news on the event loop, read off the timelines once a second."""
