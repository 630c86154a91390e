"""Engine.IO: sessions on WebSocket or long-polling, and the change from one to the other."""
