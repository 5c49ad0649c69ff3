"""Load: many peers of one daemon, and what they cost it. Nothing here is asserted by a test."""
