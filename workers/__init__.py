"""Work done after the response: what events owe, timelines built anew, what has expired cleared."""
