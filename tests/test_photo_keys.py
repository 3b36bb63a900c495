"""One key for all URLs of the same photograph."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvest.photo_keys import is_placeholder, renditions, source_key

PIN = "ab/cd/ef/abcdef0123456789abcdef0123456789"
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
    "pexels:417173": [
        "https://images.pexels.com/photos/417173/pexels-photo-417173.jpeg",
        "https://images.pexels.com/photos/417173/pexels-photo-417173.jpeg?auto=compress&cs=tinysrgb&dpr=2&h=650&w=940",
    ],
    "pixabay:195893": [
        "https://cdn.pixabay.com/photo/2013/10/15/09/12/flower-195893_150.jpg",
        "https://cdn.pixabay.com/photo/2013/10/15/09/12/flower-195893_960_720.jpg",
    ],
    "commons:Micrurus_tener_(1).jpg": [
        "https://upload.wikimedia.org/wikipedia/commons/a/ab/Micrurus_tener_(1).jpg",
        "https://upload.wikimedia.org/wikipedia/commons/a/ab/Micrurus_tener_%281%29.jpg?download",
        "https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/Micrurus_tener_(1).jpg/500px-Micrurus_tener_(1).jpg",
        "https://thumb.wikimedia.org/wikipedia/commons/thumb/a/ab/Micrurus_tener_(1).jpg/960px-Micrurus_tener_(1).jpg",
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
        "https://example.com/king.jpg?msclkid=1&mtm_source=a&pk_campaign=b&hsa_acc=1&_hsenc=2&_ga=3&igsh=4",
        "https://example.com/king.jpg?gad_source=1&srsltid=2&epik=3&wprov=sfla1&irclickid=4&ScCid=5&vero_id=6",
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
    "googleusercontent:pw/AP1GczO-x_y": [
        "https://lh3.googleusercontent.com/pw/AP1GczO-x_y=w1200-h800-no?authuser=0",
        "https://lh5.googleusercontent.com/pw/AP1GczO-x_y=s0",
        "https://lh3.googleusercontent.com/pw/AP1GczO-x_y",
        "https://lh3.ggpht.com/pw/AP1GczO-x_y=s72-c",
    ],
    "googleusercontent:-abc/Xyz_/AAAA/b-c": [
        "https://lh3.googleusercontent.com/-abc/Xyz_/AAAA/b-c/s1600/king.jpg",
        "http://1.bp.blogspot.com/-abc/Xyz_/AAAA/b-c/s320/king.jpg",
        "https://4.bp.blogspot.com/-abc/Xyz_/AAAA/b-c/w640-h426-p-k-no-nu/king+snake.jpg",
        "https://blogger.googleusercontent.com/-abc/Xyz_/AAAA/b-c/s72-c/king.jpg",
    ],
    f"pinterest:{PIN}": [
        f"https://i.pinimg.com/originals/{PIN}.png",
        f"https://i.pinimg.com/236x/{PIN}.jpg",
        f"https://i.pinimg.com/75x75_RS/{PIN}.jpg",
        f"https://s-media-cache-ak0.pinimg.com/736x/{PIN}.jpg?x=1",
    ],
    "youtube:dQw4w9WgX_-": [
        "https://i.ytimg.com/vi/dQw4w9WgX_-/maxresdefault.jpg",
        "https://i.ytimg.com/vi/dQw4w9WgX_-/hqdefault.jpg?sqp=-oaymwEj&rs=AOn4",
        "https://i3.ytimg.com/vi_webp/dQw4w9WgX_-/hq720.webp",
        "http://img.youtube.com/vi/dQw4w9WgX_-/0.jpg",
    ],
    "url:https://[2001:db8::1]/a.jpg": ["http://[2001:DB8::1]:80/a.jpg"],
    "url:http://example.com:8080/": ["http://Example.com:8080"],
}


@pytest.mark.parametrize(("expected", "url"), [(name, url) for name, urls in SAME.items() for url in urls])
def test_addresses_of_one_photograph_share_a_key(expected, url):
    """Host, size, secret, proxy, port, fragment and tracking parameters do not change the key."""
    assert source_key(url) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://i.ytimg.com/vi/dQw4w9WgX_-/0.jpg", "https://i.ytimg.com/vi/DQw4w9WgX_-/0.jpg"),
        ("https://i.ytimg.com/vi/dQw4w9WgX_-/0.jpg", "https://i.ytimg.com/vi/dQw4w9WgX_-/1.jpg"),
        ("https://lh3.googleusercontent.com/d/1abc=w300", "https://lh3.googleusercontent.com/d/2abc=w300"),
        ("https://example.com/a?pk_id=1", "https://example.com/a?pk_id=2"),
        ("https://example.com/a.jpg", "https://example.com/A.jpg"),
        ("https://example.com/a?id=1", "https://example.com/a?id=2"),
        ("https://example.com/king-300x200.jpg", "https://example.com/king.jpg"),
        ("https://example.com:8080/a.jpg", "https://example.com/a.jpg"),
        ("https://live.staticflickr.com/1/81_1f2d3c4b5a.jpg", "https://live.staticflickr.com/1/82_1f2d3c4b5a.jpg"),
        ("https://upload.wikimedia.org/wikipedia/commons/a/ab/K.jpg", "https://upload.wikimedia.org/wikipedia/de/a/ab/K.jpg"),
    ],
)  # fmt: skip
def test_different_pictures_keep_different_keys(one, other):
    """URLs that may be different images have different keys."""
    assert source_key(one) != source_key(other)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/live.staticflickr.com/8193/8109766359_1f2d3c4b5a_b.jpg",
        "https://live.staticflickr.com.evil.test/8193/8109766359_1f2d3c4b5a_b.jpg",
        "https://evilflickr.com/photos/somebody/8109766359",
        "https://www.flickr.com/photos/tags/2019/",
        "https://www.flickr.com/photos/somebody/albums/72157",
        "https://evil.test/photos/279076960/original.jpg",
        f"https://pinimg.com.evil.test/736x/{PIN}.jpg",
        "https://evil.test/i.ytimg.com/vi/dQw4w9WgX_-/0.jpg",
        "https://drive.googleusercontent.com/host/abc=s0",
        "https://upload.wikimedia.org/wikipedia/commons/archive/a/ab/20110101!K.jpg",
    ],
)
def test_other_hosts_do_not_get_the_key_of_a_source(url):
    """Only the hosts and paths of a source give its keys."""
    assert source_key(url).startswith("url:")


@given(st.text() | st.from_regex(r"https?://(i0\.wp\.com/)*(live\.staticflickr\.com|\[?\w*:?\]?)[/\w%.:?&=#\[\]@-]*"))
@example("http://[::1")
@example("http://host:port/")
@example("http://host:99999999/")
@example("https://i0.wp.com//")
@example("//\u2100.com/")
@example("https://a/\ud800")
@example("https://commons.wikimedia.org/wiki/File:%")
@example("")
def test_hostile_addresses_never_raise(url):
    """Any text has a key that can be stored and is always the same."""
    name = source_key(url)
    assert name.encode()
    assert ":" in name
    assert source_key(url) == name


FLICKR = "https://live.staticflickr.com/8193/8109766359_1f2d3c4b5a"
COMMONS = "https://upload.wikimedia.org/wikipedia/commons"


@pytest.mark.parametrize(
    ("url", "larger"),
    [
        (f"{FLICKR}_m.jpg", [f"{FLICKR}_b.jpg"]),
        (f"{FLICKR}.jpg", [f"{FLICKR}_b.jpg"]),
        (f"{FLICKR}_z_d.jpg?zz=1", [f"{FLICKR}_b.jpg"]),
        (f"{FLICKR}_b.jpg", []),
        (f"{FLICKR}_3k.jpg", []),
        (f"{FLICKR}_o.png", []),
        (
            "https://inaturalist-open-data.s3.amazonaws.com/photos/279/square.jpeg",
            ["https://inaturalist-open-data.s3.amazonaws.com/photos/279/original.jpeg"],
        ),
        (
            "https://static.inaturalist.org/photos/279/medium.jpg?1545345",
            ["https://static.inaturalist.org/photos/279/original.jpg"],
        ),
        ("https://static.inaturalist.org/photos/279/original.jpg", []),
        (f"{COMMONS}/thumb/a/ab/K_%281%29.jpg/500px-K_%281%29.jpg", [f"{COMMONS}/a/ab/K_%281%29.jpg"]),
        (
            "https://thumb.wikimedia.org/wikipedia/commons/thumb/a/ab/K.jpg/960px-K.jpg?utm_source=x",
            [f"{COMMONS}/a/ab/K.jpg"],
        ),
        (f"{COMMONS}/thumb/a/ab/K.svg/500px-K.svg.png", []),
        (f"{COMMONS}/a/ab/K.jpg", []),
        (
            "https://lh3.googleusercontent.com/pw/AP1-x=w203-h152-k-no?authuser=0",
            ["https://lh3.googleusercontent.com/pw/AP1-x=s0"],
        ),
        ("https://lh3.googleusercontent.com/pw/AP1-x=s0", []),
        (
            "http://2.bp.blogspot.com/-a/X/AA/b/s320/king.jpg",
            ["http://2.bp.blogspot.com/-a/X/AA/b/s0/king.jpg"],
        ),
        (
            f"https://i.pinimg.com/236x/{PIN}.jpg",
            [f"https://i.pinimg.com/originals/{PIN}.jpg", f"https://i.pinimg.com/736x/{PIN}.jpg"],
        ),
        (f"https://i.pinimg.com/1200x/{PIN}.jpg", [f"https://i.pinimg.com/originals/{PIN}.jpg"]),
        (f"https://i.pinimg.com/originals/{PIN}.jpg", []),
        (
            "https://i.ytimg.com/vi/dQw4w9WgX_-/mqdefault.jpg",
            [
                "https://i.ytimg.com/vi/dQw4w9WgX_-/maxresdefault.jpg",
                "https://i.ytimg.com/vi/dQw4w9WgX_-/hqdefault.jpg",
            ],
        ),
        (
            "https://img.youtube.com/vi/dQw4w9WgX_-/0.jpg",
            ["https://i.ytimg.com/vi/dQw4w9WgX_-/maxresdefault.jpg"],
        ),
        ("https://i.ytimg.com/vi/dQw4w9WgX_-/2.jpg", []),
        (
            "https://example.com/wp-content/uploads/2020/05/king-300x200.jpg?v=3",
            ["https://example.com/wp-content/uploads/2020/05/king.jpg?v=3"],
        ),
        (
            "https://i0.wp.com/example.com/wp-content/uploads/king-300x200.jpg?resize=300%2C200&ssl=1",
            ["https://i0.wp.com/example.com/wp-content/uploads/king.jpg?ssl=1"],
        ),
        ("https://i0.wp.com/example.com/king.jpg?w=300", ["https://i0.wp.com/example.com/king.jpg"]),
        ("https://i0.wp.com/example.com/king.jpg?ssl=1", []),
        ("https://example.com/king-300x200.jpg", []),
        ("https://evil.test/live.staticflickr.com/8193/8109766359_1f2d3c4b5a_m.jpg", []),
        ("https://live.staticflickr.com:8443/8193/8109766359_1f2d3c4b5a_m.jpg", []),
    ],
)
def test_V06_a_smaller_rendition_gives_the_larger_ones(url, larger):
    """The larger renditions of a thumbnail come first, and the thumbnail itself last."""
    assert renditions(url) == (*larger, url)


@pytest.mark.parametrize("url", [url for urls in SAME.values() for url in urls])
def test_renditions_are_of_one_photograph(url):
    """Every rendition of a URL has its key, and the largest has no larger one."""
    result = renditions(url.strip())
    assert {source_key(one) for one in result} == {source_key(url)}
    assert renditions(result[0]) == result[:1]


@given(st.text() | st.from_regex(r"https?://(i0\.wp\.com|lh3\.googleusercontent\.com)[/\w%.:?&=#\[\]@-]*"))
@example("http://[::1")
@example("http://host:port/")
@example("https://i0.wp.com")
@example("//\u2100.com/")
def test_hostile_addresses_have_themselves(url):
    """The last rendition of any text is the text itself."""
    assert renditions(url)[-1] == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://combo.staticflickr.com/pw/images/en-us/photo_unavailable.png", True),
        ("https://s.yimg.com/pw/images/en-us/photo_unavailable_l.png", True),
        ("http://i.imgur.com/removed.png?1", True),
        ("https://i.imgur.com/removed.png/x", False),
        ("https://evil.test/i.imgur.com/removed.png", False),
        (f"{FLICKR}_b.jpg", False),
        ("", False),
    ],
)
def test_what_a_host_shows_instead_is_known(url, expected):
    """The image that says "no longer available" is recognized by its URL."""
    assert is_placeholder(url) is expected
