"""What is stored of a cell's output."""

from relattr.execution.output_log import LOG_HEAD_BYTES, LOG_TAIL_BYTES, OutputLog


def test_a_log_stores_the_start_and_the_end():
    short = OutputLog()
    short.feed(b"ab")
    short.feed("ü".encode())
    assert short.text() == "abü"
    for step in (1000, 70_000, 10_000_000):
        log, output = OutputLog(), b"".join(b"%09d\n" % k for k in range(100_000))
        for k in range(0, len(output), step):
            log.feed(output[k : k + step])
        text = log.text()
        assert text.startswith(output[:LOG_HEAD_BYTES].decode())
        assert text.endswith(output[-LOG_TAIL_BYTES:].decode())
        assert f"{len(output) - LOG_HEAD_BYTES - LOG_TAIL_BYTES:,} bytes left out" in text
