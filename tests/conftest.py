"""What all tests share: keys are made in a folder of the tests, never in the user's own."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def keys_of_the_tests(tmp_path_factory):
    """The folder of keys, with an authority in it: it is told to people when one is made."""
    from worldreel.provenance.authority import HOME_VARIABLE, local_signing

    folder = tmp_path_factory.mktemp("keys")
    local_signing(folder, tell=lambda told: None)
    before = os.environ.get(HOME_VARIABLE)
    os.environ[HOME_VARIABLE] = str(folder)
    yield folder
    if before is None:
        del os.environ[HOME_VARIABLE]
    else:
        os.environ[HOME_VARIABLE] = before
