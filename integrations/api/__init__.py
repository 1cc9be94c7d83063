"""REST endpoints of connections and their runs; each asks one service and words its answer."""
