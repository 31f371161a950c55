"""What must hold for any bytes: targets for coverage-guided fuzzing, one module each.

`python -m tests.fuzz.parse -max_total_time=60` runs one for a minute (libFuzzer's options).
"""
