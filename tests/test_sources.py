"""One key for every address of the same photograph."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvest.sources import key

SAME = {
    "flickr:8109766359": [
        "https://live.staticflickr.com/8193/8109766359_1f2d3c4b5a_b.jpg",
        "https://live.staticflickr.com/8193/8109766359_0a1b2c3d4e_o.png",
        "https://live.staticflickr.com/8193/8109766359_1f2d3c4b5a.jpg",
        "http://farm9.staticflickr.com/8193/8109766359_1f2d3c4b5a_z.jpg?zz=1",
        "https://c1.staticflickr.com/9/8193/8109766359_1f2d3c4b5a_3k.jpg",
        "http://farm9.static.flickr.com/8193/8109766359_1f2d3c4b5a_m.jpg",
        "http://static.flickr.com/8193/8109766359_1f2d3c4b5a_t.jpg",
        "https://LIVE.staticflickr.com./8193/8109766359_1f2d3c4b5a_o_d.jpg",
        "https://www.flickr.com/photos/somebody/8109766359",
        "https://www.flickr.com/photos/12345678@N00/8109766359/in/pool-snakes/",
        "http://flickr.com/photos/somebody/8109766359/sizes/l/",
        "https://i2.wp.com/live.staticflickr.com/8193/8109766359_1f2d3c4b5a_b.jpg?w=300",
    ],
    "inaturalist:279076960": [
        "https://inaturalist-open-data.s3.amazonaws.com/photos/279076960/original.jpg",
        "https://inaturalist-open-data.s3.amazonaws.com/photos/279076960/square.jpeg",
        "https://static.inaturalist.org/photos/279076960/large.jpg?1545345",
        "https://www.inaturalist.org/photos/279076960",
    ],
    "commons:Micrurus_tener_(1).jpg": [
        "https://upload.wikimedia.org/wikipedia/commons/a/ab/Micrurus_tener_(1).jpg",
        "https://upload.wikimedia.org/wikipedia/commons/a/ab/Micrurus_tener_%281%29.jpg?download",
        "https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/Micrurus_tener_(1).jpg/500px-Micrurus_tener_(1).jpg",
        "https://commons.wikimedia.org/wiki/File:Micrurus_tener_(1).jpg",
        "https://commons.wikimedia.org/wiki/Special:FilePath/micrurus%20tener%20(1).jpg?width=300",
    ],
    "url:https://example.com/king.jpg": [
        "https://example.com/king.jpg",
        "http://example.com/king.jpg",
        "HTTPS://EXAMPLE.com:443/king.jpg",
        "http://example.com:80/king.jpg",
        "https://someone:secret@example.com./king.jpg",
        " https://example.com/king.jpg#large ",
        "https://example.com/king.jpg?utm_source=feed&UTM_medium=x&fbclid=1&gclid=2",
        "https://i0.wp.com/example.com/king.jpg?resize=300%2C200&ssl=1",
        "http://i1.wp.com/example.com/king.jpg",
        "https://i0.wp.com/i2.wp.com/example.com/king.jpg?fit=10",
    ],
    "url:https://example.com/wp-content/uploads/2020/05/king.jpg": [
        "https://example.com/wp-content/uploads/2020/05/king.jpg",
        "https://example.com/wp-content/uploads/2020/05/king-300x200.jpg",
        "https://example.com/wp-content/uploads/2020/05/king-scaled.jpg",
    ],
    "url:https://example.com/image?id=7&size=L": ["https://example.com/image?id=7&utm_campaign=x&size=L"],
    "url:https://[2001:db8::1]/a.jpg": ["http://[2001:DB8::1]:80/a.jpg"],
    "url:http://example.com:8080/": ["http://Example.com:8080"],
}


@pytest.mark.parametrize(("expected", "url"), [(name, url) for name, urls in SAME.items() for url in urls])
def test_addresses_of_one_photograph_share_a_key(expected, url):
    """Host, size, secret, proxy, port, fragment and tracking do not change which photograph it is."""
    assert key(url) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a.jpg", "https://example.com/A.jpg"),
        ("https://example.com/a?id=1", "https://example.com/a?id=2"),
        ("https://example.com/king-300x200.jpg", "https://example.com/king.jpg"),
        ("https://example.com:8080/a.jpg", "https://example.com/a.jpg"),
        ("https://live.staticflickr.com/1/81_1f2d3c4b5a.jpg", "https://live.staticflickr.com/1/82_1f2d3c4b5a.jpg"),
        ("https://upload.wikimedia.org/wikipedia/commons/a/ab/K.jpg", "https://upload.wikimedia.org/wikipedia/de/a/ab/K.jpg"),
    ],
)  # fmt: skip
def test_different_pictures_keep_different_keys(one, other):
    """What may be another picture is never folded into one."""
    assert key(one) != key(other)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/live.staticflickr.com/8193/8109766359_1f2d3c4b5a_b.jpg",
        "https://live.staticflickr.com.evil.test/8193/8109766359_1f2d3c4b5a_b.jpg",
        "https://evilflickr.com/photos/somebody/8109766359",
        "https://www.flickr.com/photos/tags/2019/",
        "https://www.flickr.com/photos/somebody/albums/72157",
        "https://evil.test/photos/279076960/original.jpg",
        "https://upload.wikimedia.org/wikipedia/commons/archive/a/ab/20110101!K.jpg",
    ],
)
def test_a_stranger_cannot_pass_for_a_known_source(url):
    """Only the source's own hosts and paths name its photographs."""
    assert key(url).startswith("url:")


@given(
    st.text()
    | st.from_regex(r"https?://(i0\.wp\.com/)*(live\.staticflickr\.com|\[?\w*:?\]?)[/\w%.:?&=#\[\]@-]*")
)
@example("http://[::1")
@example("http://host:port/")
@example("http://host:99999999/")
@example("https://i0.wp.com//")
@example("//\u2100.com/")
@example("https://a/\ud800")
@example("https://commons.wikimedia.org/wiki/File:%")
@example("")
def test_hostile_addresses_never_raise(url):
    """Any text has a key, which can be stored, and the key of one text is always the same."""
    name = key(url)
    assert name.encode()
    assert ":" in name
    assert key(url) == name
