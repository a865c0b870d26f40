"""What every route shares: who asks, limits, parsing, paging, errors, the API document."""
