"""The load of a drill: clients that act as users, and watchers that measure the delivery lag."""
