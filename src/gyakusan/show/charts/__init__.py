"""Charts as SVG text, from values: the same functions draw for the page, for files and for notebooks.

A chart is told its width in user units and a `tell`, which says words in the reader's language. Colours are classes of
charts.css; no chart has an inline style, an id or a script.
"""
