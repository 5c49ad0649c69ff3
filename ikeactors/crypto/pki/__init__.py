"""X.509 for IKE: paths, names, policies, revocation. Needs the extra `certificates`."""
