"""`harvest serve`: a trained network as an HTTP service.

app                 the routes and their responses
read_request_image  reads the image of a request: form file, body or URL
batch_queue         runs waiting requests as one batch
page/            the web page
"""
