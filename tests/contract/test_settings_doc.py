"""docs/settings.md says what the settings classes say."""

from local.settings_doc import DOCUMENT, document


def test_the_settings_document_says_what_the_code_says() -> None:
    assert DOCUMENT.read_text() == document(), "run make settings-doc and commit what it writes"
