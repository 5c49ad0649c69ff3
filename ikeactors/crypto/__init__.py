"""Cryptography as functions of octets: no clock, no randomness, no socket.

Whatever needs random octets (private keys, IVs) is given them by its caller.
"""
