"""What can go wrong in loyalty, each with the reason that the protos document."""

from __future__ import annotations

from kit.errors import DomainError, FailedPrecondition, InvalidArgument, NotFound


class LoyaltyError(DomainError):
    """Root of this service's errors."""


class ProgramNotFound(LoyaltyError, NotFound):
    """The merchant has no such program."""

    reason = "PROGRAM_NOT_FOUND"


class ProgramNotSet(LoyaltyError, FailedPrecondition):
    """The merchant has no program in force."""

    reason = "PROGRAM_NOT_SET"

    def __init__(self) -> None:
        super().__init__("no loyalty program is in force; set one with ProgramService.SetProgram")


class InvalidProgram(LoyaltyError, InvalidArgument):
    """The program contradicts itself."""

    reason = "INVALID_PROGRAM"


class ProgramCurrencyMismatch(LoyaltyError, FailedPrecondition):
    """A sale is in another currency, or with other digits, than the program that would decide."""

    reason = "PROGRAM_CURRENCY_MISMATCH"


class PointsNotRedeemable(LoyaltyError, FailedPrecondition):
    """The program gives points no worth."""

    reason = "POINTS_NOT_REDEEMABLE"


class AccountNotFound(LoyaltyError, NotFound):
    """Nothing has been heard of the customer."""

    reason = "ACCOUNT_NOT_FOUND"

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            f"loyalty has not heard of customer {customer_id}; check the id, or wait a moment if it is new",
            customer_id=customer_id,
        )


class ReservationNotFound(LoyaltyError, NotFound):
    """The customer has no such reservation."""

    reason = "RESERVATION_NOT_FOUND"


class ExceptionNotFound(LoyaltyError, NotFound):
    """The merchant has no such exception."""

    reason = "EXCEPTION_NOT_FOUND"


class ExceptionResolved(LoyaltyError, FailedPrecondition):
    """The exception was settled by another request."""

    reason = "EXCEPTION_RESOLVED"


class TierNotFound(LoyaltyError, NotFound):
    """The program in force has no such tier."""

    reason = "TIER_NOT_FOUND"


class UntilPassed(LoyaltyError, InvalidArgument):
    """A pin would end before it begins."""

    reason = "UNTIL_PASSED"


class ExpiryPassed(LoyaltyError, InvalidArgument):
    """Points would be given that can no longer be used."""

    reason = "EXPIRY_PASSED"
