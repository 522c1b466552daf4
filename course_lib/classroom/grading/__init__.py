"""Grading a class: read what was handed in, replay it in a sandbox, judge it outside, and say so in pages.

submissions → reading → replay (sandbox, warm) → judging → results → feedback, class report.
"""
