"""The product's password hash with one round, because a real one takes half a second for each person of a test."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """Same algorithm and same form, so that processes with the product's own settings can check it too."""

    iterations = 1
