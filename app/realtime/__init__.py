"""The delivery engine: sockets, frames and rooms. It knows no domain."""
