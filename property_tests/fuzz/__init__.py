"""
Every parser under coverage-guided fuzzing, in a tier of its own: `./test.sh --fuzz [SECONDS]`.

A target takes bytes and raises where an invariant does not hold. `targets.py` has the table of them, `seeds.py` what each
begins with, `hostile.py` inputs that must not cost more than their length, `runner.py` runs them under atheris.
"""
