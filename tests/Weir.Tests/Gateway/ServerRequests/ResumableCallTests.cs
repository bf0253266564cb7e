using System.Text;
using Weir.Gateway.Parking;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Tests.Gateway.ServerRequests;

public sealed class ResumableCallTests
{
    [Theory]
    [InlineData(10, 10_000)]
    [InlineData(1_000, 1_000)]
    [InlineData(40_000, 100)]
    [InlineData(1_000_000, 10)]
    public async Task F05_of_a_parked_calls_notifications_the_newest_wait_within_a_bound_in_bytes(int size, int count)
    {
        var call = new ResumableCall();
        for (var i = 0; i < count; i++)
        {
            var message = Encoding.UTF8.GetBytes(
                $$$"""{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"{{{new string('x', size)}}}"}}""");
            await call.NotifyAsync(new UpstreamMessage(message, ServerMessage.Read(message)), TestContext.Current.CancellationToken);
            call.UnheardBytes.ShouldBeLessThanOrEqualTo(64 * 1024);
        }
    }
}
