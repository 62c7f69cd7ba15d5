import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from cloud.accounts import certificates

NOW = 1_800_000_000 * 10**9


def test_the_brokers_certificate_is_verified_by_the_authoritys() -> None:
    issuer = certificates.authority(NOW)
    made = certificates.broker(issuer, ["broker.example.org", "10.1.2.3"], NOW)
    store = Store([issuer.certificate])
    at = dt.datetime.fromtimestamp(NOW // 10**9, dt.UTC)
    for name in (
        x509.DNSName("broker.example.org"),
        x509.IPAddress(ipaddress.ip_address("10.1.2.3")),
    ):
        verifier = PolicyBuilder().store(store).time(at).build_server_verifier(name)
        assert verifier.verify(made.certificate, []) == [made.certificate, issuer.certificate]


def test_the_authority_signs_nothing_but_certificates_of_servers() -> None:
    issuer = certificates.authority(NOW)
    basic = issuer.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.value.ca, basic.value.path_length, basic.critical) == (True, 0, True)
    made = certificates.broker(issuer, ["b"], NOW)
    assert not made.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
