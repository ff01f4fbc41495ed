"""The host's doors to the rows of its books, behind which nothing is built yet.

The readers in `api/order_api.py` raise before the host gets here; if it comes all the same, it gets
an exception and no empty book.
"""

from __future__ import annotations

from broker.mstock.not_implemented import refuse_books

map_order_data = refuse_books
calculate_order_statistics = refuse_books
transform_order_data = refuse_books
map_trade_data = refuse_books
transform_tradebook_data = refuse_books
map_position_data = refuse_books
transform_positions_data = refuse_books
map_portfolio_data = refuse_books
calculate_portfolio_statistics = refuse_books
transform_holdings_data = refuse_books
