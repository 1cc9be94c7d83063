"""What every room may use: settings from the environment, keys, errors, files, requests; knows no room."""
