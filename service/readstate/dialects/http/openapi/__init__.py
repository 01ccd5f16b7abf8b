"""The OpenAPI document of all dialects, as JSON at /schema.

The framework reads paths, parameters and types off the handlers. The rest is added here, once for
all dialects:

config     the document's own data, and where the rest comes in
vocabulary what a dialect says of its fields
described  summaries, descriptions and examples, made from docstrings and vocabularies
"""
