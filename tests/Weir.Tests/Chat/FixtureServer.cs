using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Server;

namespace Weir.Tests.Chat;

/// <summary>A real MCP server of the official SDK, in this process, with just the tools that a test gives it.</summary>
internal sealed class FixtureServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FixtureServer(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    public static async Task<FixtureServer> StartAsync(params McpServerTool[] tools)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        builder.Services.AddMcpServer().WithHttpTransport(http => http.Stateless = true).WithTools(tools);
        var app = builder.Build();
        app.MapMcp("/mcp");
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new FixtureServer(app) { Url = new Uri(address + "/mcp") };
    }

    public static McpServerTool Tool(string name, Delegate run, bool readOnly = true, string? description = null) =>
        McpServerTool.Create(run, new McpServerToolCreateOptions { Name = name, ReadOnly = readOnly, Description = description ?? "" });

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
