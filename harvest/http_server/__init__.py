"""What `harvest serve` and `harvest review` share: an HTTP server on this machine, with guards and limits.

request_guard        checks Host and Origin, and sets the response headers
http_errors          error responses
service_limits       limits in bytes, seconds and numbers
client_limits        limits per client address, and which connection to close
connection_timeouts  one HTTP connection with timeouts
listener             the listening socket
server               runs uvicorn
"""
