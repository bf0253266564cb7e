using System.Net;
using Weir.Tests.Fixtures.Conformance;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Conformance;

/// <summary>When a subscription is answered.</summary>
public sealed class SubscriptionTests(FrozenWeir weir) : IClassFixture<FrozenWeir>
{
    [Fact]
    public async Task A_subscription_is_answered_only_when_the_server_has_heard_of_it()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Legacy);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}, "resources": ["*"]}""");
        var hears = new TaskCompletionSource();
        server.Features.Subscribing = hears.Task;
        var client = new RawClient(weir.Client(weir.World.AgentKey), "/mcp/" + name);
        var session = await client.InitializeAsync();
        var answer = client.PostAsync(
            """{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"test://watched-resource"} }""", [session]);
        await Until.True(() => server.Features.Subscriptions == 1, "the server is asked");
        answer.IsCompleted.ShouldBeFalse();

        hears.SetResult();
        (await answer).Status.ShouldBe(HttpStatusCode.OK);
        (await answer).Body.ShouldContain("\"result\"");
    }
}
