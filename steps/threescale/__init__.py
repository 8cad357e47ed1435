"""Facts of 3scale, each with its source."""
