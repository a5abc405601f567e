"""Decides, over all flows at once, what is wrong: pure, NumPy, clock by argument.

`detector.Detector` joins the parts: `levels` (which row is which flow or level), `sums` (hours and
minutes of every row), `gaps` (which time was seen), `habit` (what is usual), one module per kind of
finding (`silence`, `errors`, `backlog`, `blind`), and `fold` (one finding for one cause).
"""
