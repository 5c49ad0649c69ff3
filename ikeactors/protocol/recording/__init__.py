"""Records what an association was given and did, and runs it again: no file and no clock."""
