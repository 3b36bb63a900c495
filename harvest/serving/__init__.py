"""`harvest serve`: a run as a small service on this machine.

app        what can be asked, and the answers
intake     the picture of a request, however it comes
batches    requests that wait are run together
guard      who may ask, and what every answer carries
problems   why there is no answer, in words
bounds     what it may all cost
rate       how slow an upload may be
shares     how much of that one client may have
admission  which connections are closed when there are too many
server     uvicorn underneath
page/      the page to try it on
"""
