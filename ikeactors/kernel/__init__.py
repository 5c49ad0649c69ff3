"""What is said to the kernel: requests and their octets. No socket is opened here."""
