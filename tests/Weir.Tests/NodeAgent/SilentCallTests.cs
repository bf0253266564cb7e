extern alias NodeAgent;

using System.Text;
using NodeAgent::Weir.NodeAgent.Bridge;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>What the node answers to a call whose child is slow.</summary>
public sealed class SilentCallTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task R09_a_call_that_waits_at_a_node_begins_a_stream(bool waits)
    {
        var time = new HandTime(TimeSpan.FromSeconds(15));
        var call = new BridgedCall("1"u8.ToArray(), clientToken: null, startedAt: 0, new ByteBudget(1 << 20));
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var app = builder.Build();
        app.MapGet("/", http => McpEndpoint.WriteCallAsync(http, call, time));
        await app.StartAsync(Token);
        // A client of the test's own server.
#pragma warning disable RS0030
        using var client = new HttpClient();
#pragma warning restore RS0030
        var sending = client.GetAsync(new Uri(app.Urls.Single()), HttpCompletionOption.ResponseHeadersRead, Token);
        await Until.True(() => time.Running == 1, "the call waits");
        if (waits)
        {
            time.Fire();
            using var begun = await sending;
            begun.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
            call.Finish("{}"u8.ToArray());
            (await begun.Content.ReadAsStringAsync(Token)).ShouldBe(": keep-alive\n\nevent: message\ndata: {}\n\n");
            return;
        }

        call.Finish("{}"u8.ToArray());
        using var answer = await sending;
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
        Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync(Token)).ShouldBe("{}");
    }
}
