"""Who may be charged."""

import pytest

from control.tenants import TenantDirectory
from sinks.effects.accounts import AccountView
from tests.support.secrets import a_secret


def accounts(folder, key, extra):
    for name, text in (("key", key), ("secrets", a_secret("accounts"))):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text)
    tenant = '[[tenant]]\naccount = "acct_1"\nname = "Northwind"\napi_key_file = "key"\nwebhook_secrets_file = "secrets"\n'
    (folder / "tenants.toml").write_text(tenant + extra)
    return AccountView(TenantDirectory.load(folder / "tenants.toml"))


@pytest.mark.parametrize(
    ("key", "extra", "may"),
    [
        ("sk_test_1", "", True),
        ("sk_live_1", "livemode = true\n", False),
        ("sk_live_1", 'livemode = true\n[tenant.policy]\nmode = "act"\n', False),
        ("rk_live_1", "livemode = true\nact_on_live = true\n", True),
        ("sk_live_1", 'livemode = true\nact_on_live = true\n[tenant.policy]\nmode = "act"\n', True),
    ],
)
def test_a_live_key_is_charged_only_when_its_entry_permits_it(tmp_path, key, extra, may):
    """Product decision 39; whether the policy in force says act is asked before a charge is asked for."""
    assert accounts(tmp_path, key, extra).may_charge("acct_1") is may


def test_an_unknown_account_is_not_charged(tmp_path):
    assert accounts(tmp_path, "sk_test_1", "").may_charge("acct_2") is False
