"""What can go wrong in notify, each with the reason that messages.proto documents."""

from __future__ import annotations

from kit.errors import DomainError, InvalidArgument, NotFound


class NotifyError(DomainError):
    """Root of this service's errors."""


class MessageNotFound(NotifyError, NotFound):
    """No message of this merchant has the id."""

    reason = "MESSAGE_NOT_FOUND"

    def __init__(self, message_id: str) -> None:
        super().__init__(f"there is no message {message_id}; list the customer's messages", id=message_id)


class TemplateUnknown(NotifyError, InvalidArgument):
    """No template of that name is in this build."""

    reason = "TEMPLATE_UNKNOWN"


class TemplateVersionNotFound(NotifyError, NotFound):
    """The template has no such version here."""

    reason = "TEMPLATE_VERSION_NOT_FOUND"

    def __init__(self, template: str, version: int) -> None:
        super().__init__(
            f"template {template} has no version {version}; list its versions",
            template=template,
            version=str(version),
        )


class TemplateInvalid(NotifyError, InvalidArgument):
    """A text that is not in the language of texts, or does not render."""

    reason = "TEMPLATE_INVALID"


class InvalidLanguage(NotifyError, InvalidArgument):
    """A language that is not known, or that comes twice."""

    reason = "INVALID_LANGUAGE"


class VariableMissing(NotifyError, InvalidArgument):
    """The template needs a variable that was not given."""

    reason = "VARIABLE_MISSING"


class VariableUnknown(NotifyError, InvalidArgument):
    """The template has no such variable."""

    reason = "VARIABLE_UNKNOWN"


class VariableWrongType(NotifyError, InvalidArgument):
    """The variable is of another type in the template."""

    reason = "VARIABLE_WRONG_TYPE"


class VariableNotNeutral(NotifyError, InvalidArgument):
    """A variable looks like an address; notify stores nothing that names a person."""

    reason = "VARIABLE_NOT_NEUTRAL"


class InvalidTimeZone(NotifyError, InvalidArgument):
    """Not an IANA time zone."""

    reason = "INVALID_TIME_ZONE"


class InvalidDate(NotifyError, InvalidArgument):
    """Not a day of the calendar, or an instant outside it."""

    reason = "INVALID_DATE"


class NotAfterInvalid(NotifyError, InvalidArgument):
    """The last moment of use has passed or lies too far ahead."""

    reason = "NOT_AFTER_INVALID"


class ChannelUnknown(NotifyError, InvalidArgument):
    """No such channel is set up here."""

    reason = "CHANNEL_UNKNOWN"
