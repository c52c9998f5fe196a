"""What was booked of sales and returns, for whoever recorded them."""
