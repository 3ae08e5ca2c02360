import asyncio
import socket

import pytest

from crane_pyg.server.run import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_no_part_of_an_answer_waits_for_an_acknowledgement(host):
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    told = []

    def connected(reader, writer):
        accepted = writer.get_extra_info("socket")
        told.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def run():
        listener = listen(host, 0)
        async with await asyncio.start_server(connected, sock=listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            await reader.read()
            writer.close()

    asyncio.run(run())
    assert told == [1]


def test_an_address_that_is_taken_is_refused():
    refused = pytest.raises(ValueError, match="must be free to listen on")
    with listen("127.0.0.1", 0) as taken, refused:
        listen("127.0.0.1", taken.getsockname()[1])
