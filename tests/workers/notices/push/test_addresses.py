import pytest

from workers.notices.push.addresses import is_global

GLOBAL = ["8.8.8.8", "142.250.74.10", "17.188.0.1", "2a00:1450:4001::a", "2620:149::1"]
NOT_GLOBAL = [
    "0.0.0.0", "10.1.2.3",  # noqa: S104
    "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1",
    "2001:20::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "2a00:1450:4001::a%eth0", "fec0::1", "ff02::1",
    "", "localhost", "127.1", "2130706433", "0x7f000001", "8.8.8.8:53", "8.8.8.8/32",
]  # fmt: skip


@pytest.mark.parametrize("address", GLOBAL)
def test_an_address_of_the_internet_is_global(address: str) -> None:
    assert is_global(address)


# Security 20
@pytest.mark.parametrize("address", NOT_GLOBAL)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_global(address)
