"""Notices: what tells a person, through a push service, that something happened."""
