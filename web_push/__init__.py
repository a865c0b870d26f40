"""What the API and the notifier both know of Web Push: its keys, its services, their addresses."""
