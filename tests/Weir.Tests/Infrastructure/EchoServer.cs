using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Weir.Tests.Infrastructure;

/// <summary>A real MCP server of the official SDK, in this process, with the tools that tests of the gateway need.</summary>
public sealed class EchoServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private EchoServer(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    /// <summary>How many tool calls reached the server: a denied one must not.</summary>
    public int Calls => _app.Services.GetRequiredService<Counter>().Value;

    public static async Task<EchoServer> StartAsync(bool stateless = true)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<Counter>();
        builder.Services.AddMcpServer().WithHttpTransport(http => http.Stateless = stateless).WithTools<Tools>();
        var app = builder.Build();
        app.MapMcp("/mcp");
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new EchoServer(app) { Url = new Uri(address + "/mcp") };
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    internal sealed class Counter
    {
        private int _value;

        public int Value => Volatile.Read(ref _value);

        public void Increment() => Interlocked.Increment(ref _value);
    }

    [McpServerToolType]
    internal sealed class Tools(Counter counter)
    {
        [McpServerTool(Name = "echo", ReadOnly = true), Description("Says what it is told.")]
        public string Echo(string message)
        {
            counter.Increment();
            return message;
        }

        [McpServerTool(Name = "read_file", ReadOnly = true), Description("Pretends to read a file.")]
        public string ReadFile(string path)
        {
            counter.Increment();
            return "content of " + path;
        }

        [McpServerTool(Name = "read_multiple_files", ReadOnly = true), Description("Pretends to read files.")]
        public string ReadMultipleFiles(string[] paths)
        {
            counter.Increment();
            return string.Join(',', paths);
        }

        [McpServerTool(Name = "link"), Description("Answers with resources.")]
        public IEnumerable<ContentBlock> Link()
        {
            counter.Increment();
            return
            [
                new ResourceLinkBlock { Uri = "file:///data/a.txt", Name = "a" },
                new EmbeddedResourceBlock { Resource = new TextResourceContents { Uri = "ui://widget", Text = "x" } },
                new EmbeddedResourceBlock { Resource = new TextResourceContents { Uri = "file:///data/b.txt", Text = "x" } },
            ];
        }

        [McpServerTool(Name = "fail"), Description("Fails.")]
        public string Fail()
        {
            counter.Increment();
            throw new McpException("as it should");
        }

        [McpServerTool(Name = "progress"), Description("Reports progress three times.")]
        public string Progress(IProgress<ProgressNotificationValue> progress)
        {
            counter.Increment();
            for (var i = 1; i <= 3; i++)
            {
                progress.Report(new ProgressNotificationValue { Progress = i, Total = 3, Message = $"step {i}" });
            }

            return "done";
        }
    }
}
