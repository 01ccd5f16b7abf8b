"""The same day of work on this service, on PostgreSQL and on plain Redis: `make bench-peers`.

What each costs, and what each gets wrong. The page is docs/compared.md.
"""
