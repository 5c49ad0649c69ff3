"""The actors: Trio, sockets, the data plane. No protocol is decided here."""
