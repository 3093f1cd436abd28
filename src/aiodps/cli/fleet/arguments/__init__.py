"""Options of `aiodps fleet`, and what is made of them."""
