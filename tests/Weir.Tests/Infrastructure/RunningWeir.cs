using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Server.Hosting;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// One replica as the product builds it, listening on a port of its own, on one database of its own, and the organization of the
/// tests: an owner, a workspace, an agent with a key. Servers are added by the tests.
/// </summary>
public class RunningWeir(TestCluster cluster) : IAsyncLifetime
{
    private readonly TestDatabase _database = new(cluster);
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-replica-").FullName;
    private WebApplication? _app;

    internal TestDatabase Database => _database;

    internal IServiceProvider Services => _app!.Services;

    public Uri Url { get; private set; } = null!;

    public World World { get; private set; } = null!;

    /// <summary>Destinations that the replica may connect to although they are private; the tests' own servers.</summary>
    internal EgressAllowed Egress { get; } = new();

    public virtual async ValueTask InitializeAsync()
    {
        await _database.InitializeAsync();
        await StartAsync();
        World = await World.CreateAsync(_database);
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        await _database.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    internal HttpClient Client(string? bearer = null)
    {
        // The tests speak to Weir from outside; the product's egress is not theirs.
#pragma warning disable RS0030
        var client = new HttpClient { BaseAddress = Url };
#pragma warning restore RS0030
        if (bearer is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
        }

        return client;
    }

    /// <summary>The audit log, oldest first: what the superuser sees of one organization.</summary>
    internal Task<IReadOnlyList<LogRow>> LogAsync() => _database.Superuser.QueryAsync(
        "select phase, kind, instance_name, item, reason, outcome, id from public.mcp_interaction_logs where organization_id = $1 order by "
            + "created_at, id, phase",
        [Sql.Uuid(World.OrganizationId)],
        r =>
            new LogRow(r.GetString(0), r.GetString(1), r.GetNullableString(2), r.GetNullableString(3), r.GetNullableString(4),
                r.GetNullableString(5), r.GetGuid(6)),
        CancellationToken.None);

    /// <summary>A server of the tests as an instance that runs, is granted, and whose tools are listed.</summary>
    internal async Task<(string Name, Guid Id)> AddReadyAsync(Uri url, string permissions, string share = "instance")
    {
        var name = "s" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[18..];
        var id = await World.AddRemoteAsync(name, url, share);
        await World.GrantAsync(id, permissions);
        var raw = new RawClient(Client(World.AgentKey));
        await Until.AsyncTrue(async () => (await raw.ModernAsync("tools/list")).Body.Contains($"\"{name}__", StringComparison.Ordinal),
            "the catalog of " + name);
        return (name, id);
    }

    private protected virtual WeirConfig Configure(WeirConfig config) => config;

    private protected virtual TimeProvider Time => TimeProvider.System;

    private async Task StartAsync()
    {
        var config = Configure(new WeirConfig
        {
            DataDirectory = _directory,
            Database = _database.Config,
            Http = new HttpConfig { Listen = new Uri("http://127.0.0.1:0") },
            Egress = new EgressConfig { Allow = Egress.Hosts },
            Mcp = new McpConfig { CallTimeoutSeconds = 10 },
            // Sweeps of bad requests are looked at one by one.
            Limits = new LimitsConfig { ErrorsPerMinute = 0 },
        });
        _app = WeirHost.Build(config, Time);
        await _app.StartAsync();
        var address = Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        Url = new Uri(address);
    }
}

internal sealed record LogRow(string Phase, string Kind, string? Instance, string? Item, string? Reason, string? Outcome, Guid Id);

/// <summary>The whole of loopback by name: each fixture server has a port of its own, which is not known before it starts.</summary>
internal sealed class EgressAllowed
{
    public IReadOnlyList<string> Hosts { get; } = ["127.0.0.1"];
}
