"""What was recorded here, compared with what loyalty and credit booked."""
