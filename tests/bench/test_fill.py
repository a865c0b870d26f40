from bench.stage.fill import list_commands

FEED = [9, 8, 7, 6, 5]


def test_a_full_list_is_filled_with_the_newest_and_a_watermark() -> None:
    _, push, _ = list_commands(1, FEED, 3)
    assert push.split(b"\r\n")[6::2] == [b"-7", b"7", b"8", b"9"]
    _, push, _ = list_commands(1, FEED, 10)
    assert push.split(b"\r\n")[6::2] == [b"0", b"5", b"6", b"7", b"8", b"9"]
