using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weir.Mcp;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Upstream;

/// <summary>A node that is full, and sessions whose clients are gone.</summary>
public sealed class LetGoTests(TimedWeir weir) : IClassFixture<TimedWeir>
{
    private static readonly TimeSpan BackAgain = TimeSpan.FromSeconds(5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_that_has_gone_gives_its_place_at_a_full_node_to_who_is_here()
    {
        await using var node = await FullNode.StartAsync(places: 1);
        var (sessions, target) = (Sessions, node.Target());
        using (sessions.Hold("gone"))
        {
            await OpenAsync(sessions, target, "gone");
        }

        weir.Clock.Advance(BackAgain);
        (await OpenAsync(sessions, target, "here")).IsRetired.ShouldBeFalse();
        node.Sessions.ShouldBe(["2"]);
    }

    [Fact]
    public async Task A_client_that_may_come_back_or_is_there_or_never_had_a_stream_keeps_its_place()
    {
        await using var node = await FullNode.StartAsync(places: 3);
        var (sessions, target) = (Sessions, node.Target());
        using var held = sessions.Hold("held");
        await OpenAsync(sessions, target, "held");
        using (sessions.Hold("held"))
        {
            // A second stream of the same client.
        }

        await OpenAsync(sessions, target, "posts only");
        using (sessions.Hold("returned"))
        {
            await OpenAsync(sessions, target, "returned");
        }

        weir.Clock.Advance(BackAgain);
        await OpenAsync(sessions, target, "returned");
        await RefusedAsync(sessions, target);

        using (sessions.Hold("returned"))
        {
            // And gone a moment ago.
        }

        await RefusedAsync(sessions, target);
        node.Sessions.ShouldBe(["1", "2", "3"]);
    }

    [Fact]
    public async Task A_session_in_which_a_call_runs_keeps_its_place()
    {
        await using var node = await FullNode.StartAsync(places: 1);
        var (sessions, target) = (Sessions, node.Target());
        UpstreamSession session;
        using (sessions.Hold("gone"))
        {
            session = await OpenAsync(sessions, target, "gone");
        }

        weir.Clock.Advance(BackAgain);
        using (session.Use())
        {
            await RefusedAsync(sessions, target);
        }

        await OpenAsync(sessions, target, "here");
    }

    private UpstreamSessions Sessions => new(weir.Services.GetRequiredService<UpstreamClient>(), weir.Clock);

    private static Task<UpstreamSession> OpenAsync(UpstreamSessions sessions, UpstreamTarget target, string sessionAffinity) =>
        sessions.GetAsync(target, sessionAffinity, ClientCapabilities.None, Token).AsTask();

    private static async Task RefusedAsync(UpstreamSessions sessions, UpstreamTarget target)
    {
        var refusal = await Should.ThrowAsync<UpstreamException>(OpenAsync(sessions, target, "here"));
        refusal.Failure.ShouldBe(UpstreamFailure.Full);
        refusal.RetryAfter.ShouldBe(TimeSpan.FromSeconds(17));
    }

    /// <summary>A node's data path that holds so many sessions and no more.</summary>
    private sealed class FullNode : IAsyncDisposable
    {
        private const string Refusal =
            """{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"full","data":{"weir":"session_limit"} } }""";

        private readonly SortedSet<string> _sessions = new(StringComparer.Ordinal);
        private readonly Lock _lock = new();
        private readonly int _permits;
        private ScriptedServer _http = null!;
        private int _opened;

        private FullNode(int places) => _permits = places;

        public string[] Sessions
        {
            get
            {
                lock (_lock)
                {
                    return [.. _sessions];
                }
            }
        }

        public static async Task<FullNode> StartAsync(int places)
        {
            var node = new FullNode(places);
            node._http = await ScriptedServer.StartAsync(node.AnswerAsync);
            return node;
        }

        public UpstreamTarget Target() => new(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", _http.Url, NodeKey: "key");

        public ValueTask DisposeAsync() => _http.DisposeAsync();

        private async Task AnswerAsync(HttpContext http, ScriptedRequest request)
        {
            if (HttpMethods.IsDelete(http.Request.Method))
            {
                lock (_lock)
                {
                    _sessions.Remove(http.Request.Headers["Mcp-Session-Id"].ToString());
                }

                http.Response.StatusCode = StatusCodes.Status204NoContent;
            }
            else if (request.Method != "initialize")
            {
                http.Response.StatusCode =
                    request.Method == "notifications/initialized" ? StatusCodes.Status202Accepted : StatusCodes.Status400BadRequest;
            }
            else if (TakePlace() is { } id)
            {
                http.Response.Headers["Mcp-Session-Id"] = id;
                await ScriptedServer.WriteAsync(http, ScriptedServer.Result(
                    request, """{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"full","version":"1"} }"""));
            }
            else
            {
                http.Response.Headers.RetryAfter = "17";
                await ScriptedServer.WriteAsync(http, Refusal, StatusCodes.Status503ServiceUnavailable);
            }
        }

        private string? TakePlace()
        {
            lock (_lock)
            {
                if (_sessions.Count >= _permits)
                {
                    return null;
                }

                var id = $"{++_opened}";
                _sessions.Add(id);
                return id;
            }
        }
    }
}
