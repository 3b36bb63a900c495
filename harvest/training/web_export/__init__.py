"""Export a network as a web page that classifies images on a phone, without a server.

smaller_model   the network with weights in 8 bits, and what that costs
web_runtime     the files of onnxruntime-web, checked by their hashes
write_web_page  the folder
page/           the page itself
"""
