"""How many workers, nodes and bytes so many users need, from what each operation costs.

`python -m loadtest.capacity`; the page is docs/capacity.md.
"""
