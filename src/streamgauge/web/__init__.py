"""Pages and JSON API: read store and state through `ports`; GET changes nothing."""
