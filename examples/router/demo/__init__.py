"""The demonstration: streamgauge beside a router under load, with two troubles nobody wrote a rule
for.
"""
