"""`harvest serve`: a trained network as an HTTP service.

app              the routes and their responses
upload           reads the image of a request: form file, body or URL
upload_rate      the minimum rate of an upload
batch_queue      runs waiting requests as one batch
request_guard    checks Host and Origin, and sets the response headers
http_errors      error responses
service_limits   limits in bytes, seconds and numbers
client_shares    limits per client address
admission        closes connections when there are too many
http_connection  one HTTP connection with timeouts
listener         the listening socket
server           runs uvicorn
page/            the web page
"""
