"""The lab: network namespaces, real daemons in them, traffic between them.

Nothing here is a test. A network is laid out by `namespaces`, peers are started by `strongswan`
and `ikeactors`, both speak the `Peer` protocol of `peer`, so one test serves any pairing.
"""
