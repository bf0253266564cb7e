using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Conformance;

/// <summary>
/// The suite starts a server for each client scenario and runs a command with its URL (<c>tests/clients/upstream.mjs</c>), which
/// asks here. The server becomes an instance of the running Weir, and a client of the official SDK uses all that it offers through
/// <c>/mcp/{instance}</c>.
/// </summary>
internal sealed class UpstreamDriver : IAsyncDisposable
{
    /// <summary>Less than the suite gives a scenario.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    // The suite starts all scenarios at once. A server that waits ten seconds for a processor is taken for one that hangs.
    private readonly SemaphoreSlim _atOnce = new(2);
    private readonly WebApplication _app;
    private readonly RunningWeir _weir;

    private UpstreamDriver(WebApplication app, RunningWeir weir) => (_app, _weir) = (app, weir);

    public Uri Url { get; private set; } = null!;

    /// <summary>Steps that failed: the suite judges by what its server saw, these say why.</summary>
    public ConcurrentQueue<string> Errors { get; } = [];

    public static async Task<UpstreamDriver> StartAsync(RunningWeir weir)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var driver = new UpstreamDriver(builder.Build(), weir);
        driver._app.MapPost("/", driver.DriveAsync);
        await driver._app.StartAsync();
        driver.Url =
            new Uri(driver._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return driver;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _atOnce.Dispose();
    }

    private async Task DriveAsync(HttpContext http)
    {
        using var body = await JsonDocument.ParseAsync(http.Request.Body);
        var order = body.RootElement;
        var scenario = order.GetProperty("scenario").GetString()!;
        if (scenario.StartsWith("auth/", StringComparison.Ordinal))
        {
            return;
        }

        await _atOnce.WaitAsync(http.RequestAborted);
        try
        {
            await TryAsync(scenario, async () =>
            {
                // The suite listens on all addresses; the egress of the tests' Weir knows loopback by number.
                var url = new UriBuilder(order.GetProperty("url").GetString()!) { Host = "127.0.0.1" }.Uri;
                var name = await AddAsync(url);
                await using var client = await ConnectAsync(name, order.GetProperty("version").GetString()!);
                await UseAsync(scenario, client, order.GetProperty("context"));
            });
        }
        finally
        {
            _atOnce.Release();
        }
    }

    private async Task<string> AddAsync(Uri url)
    {
        var name = "c" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[18..];
        var id = await _weir.World.AddRemoteAsync(name, url, share: "session");
        await _weir.World.GrantAsync(id, """{"tools": {"*": {}}, "resources": ["*"], "prompts": ["*"]}""");
        await Until.AsyncTrue(
            () =>
                _weir.Database.Superuser.ScalarAsync<bool>("select refreshed_at is not null from public.mcp_server_instances where id = $1",
                    [Sql.Uuid(id)], CancellationToken.None),
            "the catalog of " + name,
            Timeout);
        return name;
    }

    private Task<McpClient> ConnectAsync(string name, string version) => McpClient.CreateAsync(
        new HttpClientTransport(new HttpClientTransportOptions
        {
            Endpoint = new Uri(_weir.Url, "/mcp/" + name),
            AdditionalHeaders = new Dictionary<string, string> { ["Authorization"] = "Bearer " + _weir.World.AgentKey },
        }),
        new McpClientOptions
        {
            ProtocolVersion = version,
            Handlers = new McpClientHandlers { ElicitationHandler = (asked, _) => ValueTask.FromResult(Accept(asked)) },
        });

    /// <summary>Every tool, resource and prompt once.</summary>
    private async Task UseAsync(string scenario, McpClient client, JsonElement context)
    {
        var calls = context.ValueKind == JsonValueKind.Object && context.TryGetProperty("toolCalls", out var given)
            ? given.EnumerateArray().ToArray() : [];
        await TryAsync(scenario, async () =>
        {
            var tools = await client.ListToolsAsync();
            foreach (var tool in tools)
            {
                var call = calls.FirstOrDefault(c => c.GetProperty("name").GetString() == tool.Name);
                var arguments = call.ValueKind == JsonValueKind.Object
                    ? Arguments(call.GetProperty("arguments")) : Invent(tool.JsonSchema, tools[0].JsonSchema);
                await TryAsync(scenario, async () => await client.CallToolAsync(tool.Name, arguments));
            }
        });
        await TryAsync(scenario, async () =>
        {
            foreach (var resource in client.ServerCapabilities.Resources is null ? [] : await client.ListResourcesAsync())
            {
                await TryAsync(scenario, async () => await client.ReadResourceAsync(resource.Uri));
            }
        });
        await TryAsync(scenario, async () =>
        {
            foreach (var prompt in client.ServerCapabilities.Prompts is null ? [] : await client.ListPromptsAsync())
            {
                await TryAsync(scenario, async () => await client.GetPromptAsync(prompt.Name));
            }
        });
    }

    private async Task TryAsync(string scenario, Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (Exception e) when (e is not ShouldAssertException)
        {
            Errors.Enqueue($"{scenario}: {e.Message}");
        }
    }

    private static Dictionary<string, object?> Arguments(JsonElement arguments) =>
        arguments.EnumerateObject().ToDictionary(a => a.Name, a => (object?)a.Value);

    /// <summary>A value of each property's type.</summary>
    /// <param name="first">The schema of the first tool, as it came: what a tool that takes a schema is given, and compares with what it
    /// sent.</param>
    private static Dictionary<string, object?> Invent(
        JsonElement schema, JsonElement first) => schema.TryGetProperty("properties", out var properties)
        ? properties.EnumerateObject()
            .ToDictionary(p => p.Name, p => (object?)((p.Value.TryGetProperty("type", out var type) ? type.GetString() : "string") switch
        {
            "number" or "integer" => 7,
            "boolean" => true,
            "array" => Array.Empty<string>(),
            "object" when p.NameEquals("schema") => first,
            "object" => new Dictionary<string, string>(),
            _ => "text",
        }))
        : [];

    /// <summary>As a person does who changes nothing: every default is taken.</summary>
    private static ElicitResult Accept(ElicitRequestParams? asked)
    {
        var form = JsonSerializer.SerializeToElement(asked?.RequestedSchema, McpJsonUtilities.DefaultOptions);
        var content = form.ValueKind == JsonValueKind.Object && form.TryGetProperty("properties", out var properties)
            ? properties.EnumerateObject()
                .ToDictionary(
                p => p.Name, p => p.Value.TryGetProperty("default", out var value) ? value : JsonSerializer.SerializeToElement(true))
            : [];
        return new ElicitResult { Action = "accept", Content = content };
    }
}
