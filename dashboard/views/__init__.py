"""One module per page; each view reads a request, calls one service or presenter, and renders."""
