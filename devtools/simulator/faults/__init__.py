"""Everything that can go wrong upstream, on demand: who is hit, and what is done to the answer."""
