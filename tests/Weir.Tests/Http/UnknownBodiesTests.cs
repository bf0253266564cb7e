using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Weir.Server.Http;

namespace Weir.Tests.Http;

public sealed class UnknownBodiesTests
{
    [Fact]
    public async Task F03_a_body_of_an_unknown_caller_that_does_not_come_in_time_is_given_up()
    {
        var time = new FakeTimeProvider();
        var http = new DefaultHttpContext();
        http.Connection.RemoteIpAddress = IPAddress.Loopback;
        http.Request.Body = new Pipe().Reader.AsStream();
        var reading = new UnknownBodies(time).ReadAsync(http, 100).AsTask();

        time.Advance(UnknownBodies.Within);

        (await Should.ThrowAsync<BadHttpRequestException>(reading)).StatusCode.ShouldBe(StatusCodes.Status408RequestTimeout);
    }
}
