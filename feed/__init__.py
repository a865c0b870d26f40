"""What a feed is: its pages, what proves them, its bodies, how a timeline is built and checked."""
