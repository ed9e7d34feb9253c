"""What lies outside the shop: a card provider, a mail server, a carrier. Simulated, each with a memory of its own.

Their memories are files that tidings knows nothing of, so they can testify: how often was a card charged, a mail sent?
"""
