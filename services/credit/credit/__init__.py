"""The credit service: limits, holds, invoices, payments."""
