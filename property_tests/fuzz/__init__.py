"""
Coverage-guided fuzzing of every parser, apart from the other tests: `./test.sh --fuzz [SECONDS]`.

A target takes bytes and raises if an invariant does not hold. `targets.py` is their table, `seeds.py` has the first inputs of
each, `hostile.py` inputs that must not cost more than their length, and `runner.py` runs them under atheris.
"""
