"""
A small project with faults, and what a model has an agent do about them: 40 commands, which fail and succeed for real.

`make_shop` writes the project; `COMMANDS` are the model's, each with the words that it says before it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["COMMANDS", "COMPACT_TOKENS", "PROMPT", "make_shop"]

PROMPT = "Orders of 100 € and more get the wrong total. Find out why, and make every test pass."

_FILES = {
    "AGENTS.md": """\
# The shop

- Amounts are whole cents, everywhere. Only `shop/money.py` knows how people write them.
- `shop/discounts.py` decides what is paid of a total, `shop/orders.py` asks it once for an order.
- Each file of `shop/` has its tests in `tests/`, with unittest. A test is named by a sentence.
- Change as little as the task needs. Add a test before you repair what no test says.
- Commit at the end, with a subject that says what changed for a customer.
""",
    "shop/__init__.py": "",
    "tests/__init__.py": "",
    "shop/money.py": '''\
"""Amounts are cents."""


def cents(text):
    euros, _, rest = text.partition(".")
    return int(euros) * 100 + int(rest or 0)


def shown(amount):
    return f"{amount // 100}.{amount % 100:02}"
''',
    "shop/discounts.py": '''\
"""A total -> what is paid of it: the highest step that the total reaches decides."""

STEPS = ((100_00, 5), (500_00, 10))  # from this total on, percent


def discounted(total):
    rate = 0
    for least, percent in STEPS:
        if total > least:
            rate = percent
    return total - total * rate / 100
''',
    "shop/cart.py": '''\
"""What somebody wants to buy."""

from shop.money import cents


class Cart:
    def __init__(self):
        self.lines = []

    def add(self, name, price, count=1):
        self.lines.append((name, cents(price), count))
        return self
''',
    "shop/orders.py": '''\
"""A cart -> the total of its order."""

from shop.discounts import discounted


def order_total(cart):
    return sum(discounted(price * count) for _, price, count in cart.lines)
''',
    "shop/invoice.py": '''\
"""A cart -> the lines of its invoice."""

from shop.money import shown
from shop.orders import order_total


def invoice(cart):
    lines = [f"{count} x {name:<12}{shown(price * count):>9}" for name, price, count in cart.lines]
    return [*lines, f"{'total':<16}{shown(order_total(cart)):>9}"]
''',
    "tests/test_money.py": """\
import unittest

from shop.money import cents, shown


class Money(unittest.TestCase):
    def test_cents(self):
        self.assertEqual(1250, cents("12.50"))

    def test_one_digit_is_tens_of_cents(self):
        self.assertEqual(1250, cents("12.5"))

    def test_what_is_given_back_is_negative(self):
        self.assertEqual(-150, cents("-1.50"))

    def test_shown(self):
        self.assertEqual("12.05", shown(1205))
""",
    "tests/test_discounts.py": """\
import unittest

from shop.discounts import discounted


class Discounts(unittest.TestCase):
    def test_small_orders_have_none(self):
        self.assertEqual(9_999, discounted(9_999))

    def test_the_first_step_begins_at_100(self):
        self.assertEqual(9_500, discounted(10_000))

    def test_the_second_at_500(self):
        self.assertEqual(45_000, discounted(50_000))

    def test_no_fraction_of_a_cent_is_paid(self):
        self.assertEqual(9_501, discounted(10_001))
""",
    "tests/test_orders.py": """\
import unittest

from shop.cart import Cart
from shop.invoice import invoice
from shop.orders import order_total


class Orders(unittest.TestCase):
    def test_the_discount_is_of_the_whole_order(self):
        self.assertEqual(11_400, order_total(Cart().add("lamp", "60.00").add("chair", "60.00")))

    def test_an_invoice_has_a_line_an_item_and_the_total(self):
        lines = ["2 x lamp            51.00", "total               51.00"]
        self.assertEqual(lines, invoice(Cart().add("lamp", "25.5", 2)))
""",
}

_TOOL = """mkdir -p .agent && cat > .agent/run_tests.json <<'END'
{"name": "run_tests", "description": "Run all tests of the shop. Call it after each change.",
 "input_schema": {"type": "object", "properties": {}}, "command": "python3 -m unittest"}
END"""

# Each behind the words of the model; the shell takes both, for the words are a comment
_SAID = (
    ("I run the tests before I read anything.", "python3 -m unittest --failfast"),
    ("A discount is wrong. What is there?", "ls -l shop tests && wc -l shop/*.py tests/*.py"),
    ("Was it ever right?", "git log --oneline"),
    ("I begin with the discounts.", '@read_file {"file_path": "shop/discounts.py"}'),
    ("What do the tests want of it?", '@read_file {"file_path": "tests/test_discounts.py"}'),
    (
        "At the step itself there is no discount.",
        'python3 -c "from shop.discounts import discounted as d; print([d(t) for t in (9999, 10000, 10001)])"',
    ),
    ("A step counts from its total on.", "sed -i 's/total > least/total >= least/' shop/discounts.py"),
    ("Is that all?", "python3 -m unittest tests.test_discounts"),
    ("It is not: the result has fractions. I look at the change so far.", "git diff"),
    ("What does Python offer to round with?", "python3 -m pydoc decimal.Decimal.quantize"),
    (
        "Whole cents, by whole numbers, then.",
        "sed -i 's|total - total \\* rate / 100|total - total * rate // 100|' shop/discounts.py",
    ),
    ("Once more.", "python3 -m unittest tests.test_discounts"),
    ("The discounts pass. Now all of them.", "python3 -m unittest"),
    ("Orders next.", "cat shop/orders.py shop/cart.py"),
    ("And their tests.", '@read_file {"file_path": "tests/test_orders.py"}'),
    ("Who else asks for a discount?", "grep -rn discounted shop tests"),
    (
        "The discount is taken of each line, where the whole order has it.",
        "sed -i 's/sum(discounted(price \\* count) for _, price, count in cart.lines)"
        "/discounted(sum(price * count for _, price, count in cart.lines))/' shop/orders.py",
    ),
    ("The tests come again and again, so I make a tool of them.", _TOOL),
    ("I try the orders.", "python3 -m unittest tests.test_orders"),
    ("The total is right, the invoice is not. What else is left?", "@run_tests {}"),
    ("Money.", '@read_file {"file_path": "shop/money.py"}'),
    ("Its tests say what it should do.", '@read_file {"file_path": "tests/test_money.py"}'),
    (
        "I look at what it makes of three prices.",
        "python3 -c \"from shop.money import cents; print([cents(t) for t in ('2.5', '2.50', '-1.50')])\"",
    ),
    ("One digit behind the point is tens of cents.", "sed -i 's/int(rest or 0)/int(rest.ljust(2, \"0\"))/' shop/money.py"),
    ("Does that do it?", "python3 -m unittest tests.test_money"),
    (
        "The sign has to reach the cents too.",
        "cat > shop/money.py <<'END'\n"
        '"""Amounts are cents."""\n\n\n'
        "def cents(text):\n"
        '    euros, _, rest = text.removeprefix("-").partition(".")\n'
        '    amount = int(euros) * 100 + int(rest.ljust(2, "0"))\n'
        '    return -amount if text.startswith("-") else amount\n\n\n'
        "def shown(amount):\n"
        '    return f"{amount // 100}.{amount % 100:02}"\n'
        "END",
    ),
    ("And now?", "python3 -m unittest tests.test_money"),
    ("Everything together.", "@run_tests {}"),
    (
        "All pass. But does a negative amount look right?",
        "python3 -c \"from shop.money import shown; print(shown(-150)); assert shown(-150) == '-1.50'\"",
    ),
    (
        "It does not, and no test says so. I add one.",
        "cat >> tests/test_money.py <<'END'\n\n"
        "    def test_a_negative_amount_is_shown_with_its_sign(self):\n"
        '        self.assertEqual("-1.50", shown(-150))\n'
        "END",
    ),
    ("It has to fail first.", "python3 -m unittest tests.test_money"),
    (
        "Now the repair.",
        'sed -i \'s|return f"{amount // 100}.*|sign = "-" if amount < 0 else ""\\n'
        '    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02}"|\' shop/money.py',
    ),
    ("Again.", "python3 -m unittest tests.test_money"),
    ("And all of them, by name.", "python3 -m unittest -v"),
    (
        "I write down what was wrong.",
        "printf '%s\\n' '- Discounts: whole orders, from the step on' > CHANGES.md && cat CHANGES.md",
    ),
    ("Which files did I touch?", "git status --short"),
    ("The whole change, before I keep it.", "git diff"),
    ("Does everything compile?", "python3 -m compileall -q shop tests && echo yes"),
    ("I keep it.", "git add -A && git commit -q -m 'Discounts are of the whole order' && git log --oneline"),
    ("A last look at the tree.", "git status --short && ls"),
)
COMPACT_TOKENS = 8_500
COMMANDS = tuple(f"{command}  # {said}" for said, command in _SAID)


def make_shop(folder: Path) -> None:
    """Write the project, with one commit."""
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / ".gitignore").write_text("__pycache__\n.agent\n")
    for words in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("config", "user.name", "A. Person"),
        ("config", "user.email", "person@example.org"),
        ("add", "--all"),
        ("commit", "--quiet", "--message", "A shop with discounts"),
    ):
        subprocess.run(("git", *words), cwd=folder, check=True)
