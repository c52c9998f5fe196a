"""What can go wrong in the customers service, with the reasons that the protos document."""

from __future__ import annotations

from kit.errors import (
    AlreadyExists,
    DomainError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
)


class CustomersError(DomainError):
    """Root of this service's errors."""


class Invalid(CustomersError, InvalidArgument):
    """A field is wrong; `reason` says which rule it breaks."""

    def __init__(self, reason: str, message: str, field: str) -> None:
        super().__init__(message, reason=reason, field=field)


class MerchantNotSet(CustomersError, FailedPrecondition):
    """Nothing can be done for a merchant whose currency and zone are unknown."""

    reason = "MERCHANT_NOT_SET"

    def __init__(self, merchant_id: str) -> None:
        super().__init__("call MerchantService.SetMerchant first", merchant_id=merchant_id)


class CurrencyFixed(CustomersError, FailedPrecondition):
    """A merchant has one currency for good: amounts are stored in its minor units."""

    reason = "CURRENCY_FIXED"


class CustomerNotFound(CustomersError, NotFound):
    """No such customer of this merchant."""

    reason = "CUSTOMER_NOT_FOUND"

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            f"no customer {customer_id}; find the customer with Identify or register with CreateCustomer",
            customer_id=customer_id,
        )


class CustomerErased(CustomersError, FailedPrecondition):
    """The customer is erased or being erased; the books stay, the profile does not."""

    reason = "CUSTOMER_ERASED"

    def __init__(self, customer_id: str) -> None:
        super().__init__("the customer is erased; register anew if they come back", customer_id=customer_id)


class ErasurePending(CustomersError, FailedPrecondition):
    """Whoever waits to be erased stays RESTRICTED."""

    reason = "ERASURE_PENDING"

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            "the customer asked to be erased and stays RESTRICTED until what is owed is settled",
            customer_id=customer_id,
        )


class ContactHeld(CustomersError, AlreadyExists):
    """Somebody else holds the contact point."""

    reason = "CONTACT_HELD"


class MemberCodeHeld(CustomersError, AlreadyExists):
    """Somebody else holds the member code."""

    reason = "MEMBER_CODE_HELD"

    def __init__(self, code: str) -> None:
        super().__init__("another customer holds this member code; issue another one", member_code=code)


class EtagMismatch(CustomersError, FailedPrecondition):
    """The profile changed since it was read."""

    reason = "ETAG_MISMATCH"

    def __init__(self, etag: str) -> None:
        super().__init__(
            "the profile changed since you read it; read it again and send the change under a new request_id",
            etag=etag,
        )


class TooManyMisses(CustomersError, ResourceExhausted):
    """A register asked for too many numbers that nobody holds, or named too many that others hold."""

    reason = "TOO_MANY_MISSES"


class ContactPointNotFound(CustomersError, NotFound):
    """The customer does not hold that address."""

    reason = "CONTACT_POINT_NOT_FOUND"


class GuardianRequired(CustomersError, FailedPrecondition):
    """Under 18 only a guardian can consent."""

    reason = "GUARDIAN_REQUIRED"
