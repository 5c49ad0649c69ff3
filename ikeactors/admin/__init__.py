"""The admin protocol: what operators may ask of the daemon, who may, and a client."""
