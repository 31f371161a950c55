"""One guarded GET: addresses checked where the connection is made, bytes and seconds capped."""
