"""Hosts divided among workers: one worker a host, and few moves when workers come and go."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harvest.distributed.assign_hosts_to_workers import ShardOwners, choose_worker, count_parts, find_shard
from harvest.distributed.download_within_domain import divide_limits
from harvest.web.host_of_url import find_host
from harvest.web.host_scheduler import host_limits, share
from harvest.web.limits import ImageLimits

WORKERS = st.sets(st.text(min_size=1, max_size=8), min_size=2, max_size=12)
SHARDS = st.lists(st.text(max_size=20), max_size=40)


@given(WORKERS, SHARDS)
def test_a_worker_that_leaves_moves_only_its_own_hosts(workers, shards):
    """Without one worker, every shard of the others keeps its worker; so does it when the worker comes back."""
    gone = min(workers)

    for shard in shards:
        before = choose_worker(shard, workers)
        after = choose_worker(shard, workers - {gone})
        assert before in {after, gone}


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from("abcd")),
            st.tuples(st.sampled_from(["start", "finish"]), st.sampled_from(["x.com", "y.org", "z.net"])),
        ),
        max_size=60,
    )
)
def test_a_host_in_flight_has_one_worker(steps):
    """Whatever workers come and go, all jobs of a host that are in flight at the same time are at one worker."""
    owners, in_flight = ShardOwners(), {}
    for step, name in steps:
        if step == "add":
            owners.add(name)
        elif step == "remove":
            owners.remove(name)
            in_flight = {shard: at for shard, at in in_flight.items() if at[0] != name}
        elif step == "start":
            if (worker := owners.start(name)) is not None:
                in_flight.setdefault(name, []).append(worker)
                assert set(in_flight[name]) == {worker}
        elif in_flight.get(name):
            owners.finish(name, in_flight[name].pop())
            if not in_flight[name]:
                del in_flight[name]


@given(st.integers(0, 1000), st.integers(2, 9))
def test_workers_get_about_equally_many_hosts(seed, count):
    """No worker has many more jobs in flight than the average, and most hosts have the worker of their hash."""
    owners = ShardOwners()
    for number in range(count):
        owners.add(f"worker {number}")
    chosen = {f"{seed}-{number}.com": owners.start(f"{seed}-{number}.com") for number in range(300)}

    each = Counter(chosen.values())
    assert max(each.values()) <= 300 / count + 5
    by_hashing = sum(choose_worker(shard, each) == worker for shard, worker in chosen.items())
    assert by_hashing >= 200
    for shard, worker in chosen.items():
        owners.finish(shard, worker)
    assert {shard: owners.start(shard) for shard in list(chosen)[:3]} == {
        shard: choose_worker(shard, each) for shard in list(chosen)[:3]
    }


def test_hosts_of_one_domain_are_one_shard():
    """Hosts that share a limit have one worker; a URL that is never requested may go to any."""
    urls = ["https://img1.example.co.uk/1.jpg", "http://img2.example.co.uk/2.jpg"]

    assert {find_shard(url, find_host(url), 4).name for url in urls} == {"example.co.uk"}
    assert find_shard("ftp://x", find_host("ftp://x"), 4).parts == 1


def test_the_parts_of_a_bulk_host_add_up_to_its_limits():
    """A host built for bulk may have several workers, whose limits together are those of the host."""
    limits, server = ImageLimits(), "live.staticflickr.com"
    urls = [f"https://{server}/{number}.jpg" for number in range(100)]
    whole, domain = host_limits(server, limits), share(server, limits)
    for workers in (1, 2, 3, 4, 50):
        parts = count_parts(workers)
        part = divide_limits(limits, parts)

        assert len({find_shard(url, find_host(url), parts).name for url in urls}) == parts
        assert host_limits(server, part).connections * parts == whole.connections
        assert abs(parts / host_limits(server, part).pace - 1 / whole.pace) < 1e-6
        assert share(server, part).connections * parts <= domain.connections
