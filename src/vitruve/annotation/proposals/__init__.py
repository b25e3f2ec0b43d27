"""What labels lack: found by networks, reviewed by people, brought back once."""
