"""The second valve: what of a device and a tenant is taken."""

from cloud.quota import MAX_NAMED, RECOVERED_NS, Limits, Quota, S, Sluice, Throttled, named
from models.contract.messages import MAX_SAMPLES

LIMITS = Limits(
    device_messages_per_s=10, device_values_per_s=100, tenant_values_per_s=150, burst_s=2
)


def test_a_burst_passes_then_the_rate_holds() -> None:
    quota = Quota(LIMITS)
    assert sum(quota.message("a.x", 0) for _ in range(100)) == 20
    assert sum(quota.message("a.x", S) for _ in range(100)) == 10
    assert quota.message("a.y", 0), "another device has its own"
    assert quota.refusals["a.x"].limit == "device_messages_per_s"
    assert quota.refusals["a.x"].messages == 170


def test_values_have_a_bucket_of_their_own() -> None:
    quota = Quota(LIMITS)
    assert quota.values("a.x", 200, 0)
    assert not quota.values("a.x", 1, 0)
    assert quota.values("a.x", 100, S)
    assert quota.refusals["a.x"].limit == "device_values_per_s"


def test_a_tenants_devices_share_its_limit() -> None:
    quota = Quota(LIMITS)
    assert quota.values("a.x", 200, 0)
    assert not quota.values("a.y", 200, 0)
    assert quota.refusals["a.y"].limit == "tenant_values_per_s"
    assert quota.values("b.x", 200, 0)


def test_a_batch_larger_than_the_bucket_passes_when_it_is_full() -> None:
    quota = Quota(Limits(device_values_per_s=100, burst_s=2, tenant_values_per_s=0))
    assert quota.values("a.x", 1000, 0)
    assert not quota.values("a.x", 1, S), "it is paid for afterwards"
    assert quota.values("a.x", 1, 9 * S)


def test_zero_means_no_limit() -> None:
    none = Limits(device_messages_per_s=0, device_values_per_s=0, tenant_values_per_s=0)
    quota = Quota(none)
    assert all(quota.message("a.x", 0) and quota.values("a.x", 60_000, 0) for _ in range(99))


def test_a_refused_device_is_told_its_room_until_it_kept_within_its_limits_for_a_minute() -> None:
    quota = Quota(LIMITS)
    assert quota.credit("a.x", 10, 0) is None
    quota.values("a.x", 200, 0)
    quota.values("a.x", 200, 0)
    assert quota.credit("a.x", 10, 0) == 1
    assert quota.credit("a.x", 10, S) == 10
    assert quota.credit("a.x", 10, RECOVERED_NS) == MAX_SAMPLES
    assert quota.credit("a.x", 10, RECOVERED_NS) is None


def test_what_did_not_become_durable_is_given_back() -> None:
    quota = Quota(LIMITS)
    for _ in range(50):
        quota.begin(0)
        assert quota.message("a.x", 0)
        assert quota.values("a.x", 150, 0)
        quota.rollback()
    assert quota.refusals == {}


def test_a_clock_that_is_set_back_gives_and_takes_nothing() -> None:
    quota = Quota(LIMITS)
    assert sum(quota.message("a.x", 100 * S) for _ in range(100)) == 20
    assert not quota.message("a.x", 0)
    assert sum(quota.message("a.x", S) for _ in range(100)) == 10


def test_full_buckets_are_forgotten() -> None:
    quota = Quota(LIMITS)
    quota.begin(S)
    quota.message("a.x", S)
    quota.begin(S)
    assert sum(quota.message("a.x", S) for _ in range(100)) == 19
    quota.message("a.y", 3 * S)
    quota.begin(3 * S)
    assert quota._messages.buckets.keys() == {"a.y"}
    assert sum(quota.message("a.x", 3 * S) for _ in range(100)) == 20


def test_looking_for_full_buckets_fills_none_before_its_time() -> None:
    quota = Quota(LIMITS)
    assert sum(quota.message("a.x", 0) for _ in range(100)) == 20
    quota.begin(S)
    assert sum(quota.message("a.x", S // 2) for _ in range(100)) == 5
    assert sum(quota.message("a.x", S) for _ in range(100)) == 5


def test_a_birth_is_looked_at_however_much_else_came() -> None:
    quota = Quota(LIMITS)
    while quota.message("a.x", 0):
        pass
    assert sum(quota.message("a.x", 0, birth=True) for _ in range(100)) == 10


def test_what_is_looked_at_first_passes_exactly_what_the_quota_passes() -> None:
    sluice, quota = Sluice(LIMITS), Quota(LIMITS)
    passed = 0
    for step in range(2_000):
        now = step * S // 37
        for device in ("a.x", "a.y")[: 1 + step % 2]:
            one = sluice.passes(device, now)
            assert one == quota.message(device, now)
            passed += one
    refused = sluice.refused()
    assert passed + refused.total() == 3_000
    assert refused["a.x"] == quota.refusals["a.x"].messages
    assert not sluice.refused(), "each is told once"


def test_what_was_refused_before_lowers_the_credit_too() -> None:
    quota = Quota(LIMITS)
    quota.refused_before("a.x", 7, 0)
    assert quota.refusals["a.x"].messages == 7
    assert quota.credit("a.x", 1, 0) is not None


def test_no_limit_lets_everything_pass() -> None:
    sluice = Sluice(Limits(device_messages_per_s=0))
    assert all(sluice.passes("a.x", 0) for _ in range(100_000))


def test_a_hundred_devices_are_told_and_each_limit_that_one_ran_into() -> None:
    messages = {f"a.{n}": Throttled("device_messages_per_s", 1_000, n) for n in range(MAX_NAMED)}
    signals = {f"b.{n}": Throttled("signals_of_machine", 2, n + 50) for n in range(MAX_NAMED)}
    signals["a.90"] = Throttled("signals_of_machine", 1, 60)
    told = named(messages, signals)
    assert len({device for device, _ in told}) == MAX_NAMED
    assert {r.limit for device, r in told if device == "a.90"} == {
        "device_messages_per_s",
        "signals_of_machine",
    }
    assert told[0][0] == "b.99"
    assert "a.0" not in dict(told)
