"""Line protocol without answers: UDP, and Unix sockets.

Nobody tells these senders what became of their lines, so that whatever is lost here is counted:
what the kernel dropped, what we dropped, what could not be kept.
"""
