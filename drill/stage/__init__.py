"""The stage of a drill: its own stores, and our processes, each with proxies to the stores."""
