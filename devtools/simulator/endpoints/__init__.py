"""The endpoints served, one module per family; `routes` is the table to add a row to."""
