using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Server.Hosting;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A cluster of these tests' own, which they restart.</summary>
public sealed class RestartedCluster : TestCluster;

/// <summary>
/// PostgreSQL restarts under two replicas: the sessions that they keep are dead, and nobody's request is the one that finds it out.
/// </summary>
public sealed class PostgresRestartTests(RestartedCluster cluster) : IClassFixture<RestartedCluster>, IAsyncLifetime
{
    private static readonly string[] Kinds = ["read", "rpc", "mcp", "chat", "key"];

    private readonly ChatWorld _weir = new(cluster);
    private WebApplication _second = null!;
    private Uri[] _replicas = [];
    private int _names;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _weir.InitializeAsync();
        _second = WeirHost.Build(_weir.Services.GetRequiredService<WeirConfig>());
        await _second.StartAsync();
        _replicas =
            [
                _weir.Url,
                new Uri(_second.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()),
            ];
    }

    public async ValueTask DisposeAsync()
    {
        await _second.StopAsync();
        await _second.DisposeAsync();
        await _weir.DisposeAsync();
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("QUIT")]
    public async Task The_first_request_of_each_kind_at_each_replica_after_a_restart_of_postgresql_succeeds(string signal)
    {
        foreach (var kind in Kinds)
        {
            // Of each kind, so that every pool has sessions that die.
            foreach (var (replica, before) in _replicas.SelectMany(r => Kinds.Select(k => (r, k))))
            {
                (await AskAsync(replica, before)).ShouldBe(HttpStatusCode.OK, before);
            }

            await cluster.RestartAsync(signal);

            foreach (var replica in _replicas)
            {
                (await AskAsync(replica, kind)).ShouldBe(
                    HttpStatusCode.OK, $"{kind} after {signal}, at replica {Array.IndexOf(_replicas, replica)}");
            }
        }
    }

    private async Task<HttpStatusCode> AskAsync(Uri replica, string kind)
    {
        using var person = _weir.Client(kind == "key" ? _weir.World.AgentKey : _weir.OwnerToken);
        person.BaseAddress = replica;
        switch (kind)
        {
            case "read":
                return (await person.GetAsync("/rest/v1/organizations?select=id", Cancelled)).StatusCode;
            case "rpc":
                var channel = new { workspace_id = _weir.World.WorkspaceId, name = $"channel {Interlocked.Increment(ref _names)}" };
                return (await person.PostAsJsonAsync("/rest/v1/rpc/create_channel", channel, Cancelled)).StatusCode;
            case "chat":
                return (await _weir.PostAsync(new { agentId = _weir.World.AgentId, message = "hello", channelId = _weir.World.ChannelId },
                    _weir.OwnerToken, replica)).Status;
            default:
                return (await new RawClient(person, kind == "key" ? "/mcp" : $"/mcp/agents/{_weir.World.AgentId}").ModernAsync(
                    "tools/list")).Status;
        }
    }
}
