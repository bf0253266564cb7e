using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Weir.Errors;
using Weir.Server.Http;

namespace Weir.Tests.Http;

public sealed class UnknownBodiesTests
{
    [Fact]
    public void F03_one_site_with_many_networks_leaves_places_for_everybody_else()
    {
        var bodies = new UnknownBodies(new FakeTimeProvider());
        for (var i = 0; i < UnknownBodies.MostOfOneSite; i++)
        {
            Begin(bodies, $"2001:db8:0:{i / UnknownBodies.MostOfOneAddress}::{i + 1}").IsCompleted.ShouldBeFalse();
        }

        Begin(bodies, "2001:db8:0:ff::1").Exception!.InnerException.ShouldBeOfType<WeirException>().Code.ShouldBe(ErrorCode.RateLimited);
        Begin(bodies, "2001:db8:1::1").IsCompleted.ShouldBeFalse();
        Begin(bodies, "192.0.2.1").IsCompleted.ShouldBeFalse();
        UnknownBodies.MostOfOneSite.ShouldBeLessThan(UnknownBodies.Most / 4);
    }

    private static Task Begin(UnknownBodies bodies, string address)
    {
        var http = new DefaultHttpContext();
        http.Connection.RemoteIpAddress = IPAddress.Parse(address);
        http.Request.Body = new Pipe().Reader.AsStream();
        return bodies.ReadAsync(http, 100).AsTask();
    }

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
