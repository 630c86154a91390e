"""The delivery engine: sockets, frames and rooms. It knows no domain.

To read it along the way of an event out to the clients:

    publisher     a domain's event, and the rooms it is for
    delivery      what it becomes, and the log that all of them take their place in
    memorylog     that log where the process is alone; it keeps the last for who was away
    meter         how long that takes
    rooms         who is in them; the event encoded once for each wire form
    outbox        everyone's frames of one turn of the loop, one write each
    websocket     one connection: frames in, limits, closing; `frames` writes them
    mailbox       the same for a client on long-polling
    bus           the log in Redis, for several processes; `emitter` writes to it from elsewhere

and along the way of a client in:

    upgrade       the opening handshake, and the hand-over of the bare connection
    engine        the Engine.IO server: a session for each client
    session       one client's session; `packets` are its words, `deadlines` its timers
    polling       HTTP requests of a session; `probe` its change to WebSocket
    inbox         a client's messages, one after the other
    socketserver  the Socket.IO server; `socketpacket` its packets, `wirejson` their JSON
    lives         connections from handshake to end; `traffic` counts what passes
    calls         events of the server whose answers someone waits for
"""
