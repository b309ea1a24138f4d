"""Commands about the catalog.

pull.py    `catalog pull` and `catalog fetch`: from hosts to a store or to a mirror
cards.py   `catalog list`, `show` and `lint`
"""
