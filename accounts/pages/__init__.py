"""What people see of accounts: sign-in, invitations, settings; each view reads a request, calls one service, renders."""
