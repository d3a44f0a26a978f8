"""Access to the operating system and the network: files, checksums, downloads, memory."""

DECIDES_RESULTS = False
