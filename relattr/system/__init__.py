"""What relattr needs of the operating system and the network: files, checksums, downloads, memory."""
