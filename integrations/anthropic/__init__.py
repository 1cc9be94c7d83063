"""Everything that knows Anthropic's reports: requests, wire shapes, failures, normalising and the key's probe."""
