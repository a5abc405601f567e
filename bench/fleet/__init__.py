"""Fleets of customers with faults and their truth, and a scorer of what detection makes of them.

`plan` says what a run is, `customers` draws who sends, `means` how much they usually send,
`faults` what goes wrong and when, `least` how soon any rule could know, `messages` counts and
stamps, `telemetry` hands it over as the store would, `drive` runs the real detector and incident
machine on it minute by minute, `score` holds what opened against the truth, `goals` says it in
figures.
"""
