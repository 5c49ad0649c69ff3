"""An IKE daemon for Linux routers: IKEv2 on Trio, every peer association a supervised actor."""

__version__ = "0.1.0"
