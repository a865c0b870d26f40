"""Feeds: pages, their proof from timelines, bodies, rebuilding, verification and repair."""
