"""What is refused about purchases and returns; each reason is documented in purchases.proto."""

from __future__ import annotations

from customers.errors import CustomersError
from kit.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)


class PurchaseError(CustomersError):
    """Root of this feature's errors."""


class CustomerUnknown(PurchaseError, NotFound):
    """An online sale names a customer that does not exist."""

    reason = "CUSTOMER_UNKNOWN"

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            f"there is no customer {customer_id}; identify the customer again, or send the sale without one",
            customer_id=customer_id,
        )


class TotalMismatch(PurchaseError, InvalidArgument):
    """Lines, basket discounts, total and tenders do not add up."""

    reason = "TOTAL_MISMATCH"


class Duplicate(PurchaseError, InvalidArgument):
    """An id that must be unique within the request is not."""

    def __init__(self, what: str, id_: str) -> None:
        super().__init__(
            f"{what}_id {id_!r} is named twice; give each {what} an id of its own",
            reason=f"DUPLICATE_{what.upper()}",
        )


class PurchaseNotFound(PurchaseError, NotFound):
    """The merchant has no such purchase of this customer."""

    reason = "PURCHASE_NOT_FOUND"

    def __init__(self, purchase_id: str) -> None:
        super().__init__(
            f"there is no purchase {purchase_id} of this customer; look it up with ListPurchases, "
            "and record an offline sale before its return",
            purchase_id=purchase_id,
        )


class ExceptionNotFound(PurchaseError, NotFound):
    """The merchant has no such exception."""

    reason = "EXCEPTION_NOT_FOUND"


class AlreadyResolved(PurchaseError, FailedPrecondition):
    """Another request resolved the exception."""

    reason = "ALREADY_RESOLVED"


class ReturnRefused(PurchaseError, InvalidArgument):
    """The return is asked for in a way that cannot be; the reason says which."""


class NotOfThisPurchase(PurchaseError, NotFound):
    """The purchase has no such line (LINE_NOT_FOUND) or tender (TENDER_NOT_FOUND)."""

    def __init__(self, what: str, id_: str) -> None:
        super().__init__(
            f"the purchase has no {what} {id_!r}; GetPurchase lists them",
            reason=f"{what.upper()}_NOT_FOUND",
        )


class MoreReturnedThanBought(PurchaseError, FailedPrecondition):
    """More is to be taken back than is left of a line."""

    reason = "MORE_RETURNED_THAN_BOUGHT"


class NothingLeft(PurchaseError, FailedPrecondition):
    """All of the purchase was taken back before."""

    reason = "NOTHING_LEFT"


class RefundExceedsTender(PurchaseError, FailedPrecondition):
    """More is to be refunded through a tender than is left of it."""

    reason = "REFUND_EXCEEDS_TENDER"


class RefundOverrideRequired(PurchaseError, PermissionDenied):
    """An on-account tender would get less than its share."""

    reason = "REFUND_OVERRIDE_REQUIRED"
