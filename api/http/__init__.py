"""Shared by all routes: authentication, limits, parsing, paging, errors, the API document."""
