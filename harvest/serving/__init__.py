"""`harvest serve`: a trained network as an HTTP service.

app              the routes and their responses
upload           reads the image of a request: form file, body or URL
batch_queue      runs waiting requests as one batch
request_guard    checks Host and Origin, and sets the response headers
http_errors      error responses
service_limits   limits in bytes, seconds and numbers
client_limits    limits per client address, and which connection to close
http_connection  one HTTP connection with timeouts
listener         the listening socket
server           runs uvicorn
page/            the web page
"""
