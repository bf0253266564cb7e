extern alias NodeAgent;

using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol.Client;
using Weir.Nodes;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Fixtures;

/// <summary>A real node: the built executable, in a process and a data directory of its own.</summary>
internal sealed class NodeHost : IAsyncDisposable
{
    public const string Version = "2026.8.31";
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);
    private readonly List<string> _stderr = [];

    private NodeHost(string data, Process process)
    {
        Data = data;
        Process = process;
    }

    public string Data { get; }

    public Process Process { get; private set; }

    public Uri Url { get; private set; } = null!;

    public Guid? NodeId { get; private set; }

    public HttpClient Http { get; private set; } = null!;

    public string Errors
    {
        get
        {
            lock (_stderr)
            {
                return string.Join('\n', _stderr);
            }
        }
    }

    public static string NewDataDirectory() =>
        Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "weir-node-" + Path.GetRandomFileName())).FullName;

    /// <param name="withFixture">Puts the tests' own server among the installed packages.</param>
    public static async Task<NodeHost> StartAsync(
        string[]? options = null, string? data = null, bool withFixture = true, uint? asUser = null,
        Dictionary<string, string>? environment = null)
    {
        data ??= NewDataDirectory();
        if (withFixture)
        {
            InstallFixture(data);
        }

        if (asUser is { } user)
        {
            (await Run("chown", "-R", $"{user}:{user}", data)).ShouldBe(0);
        }

        var assembly = typeof(NodeAgent::Weir.NodeAgent.NodeApp).Assembly.Location;
        string[] command = ["dotnet", assembly, "--data", data, "--lifeline", .. options ?? []];
        if (asUser is { } u)
        {
            command = ["setpriv", $"--reuid={u}", $"--regid={u}", "--clear-groups", "--", .. command];
        }

        var info = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        foreach (var (name, value) in environment ?? [])
        {
            info.Environment[name] = value;
        }

        var host = new NodeHost(data, Process.Start(info)!);
        await host.WaitUntilReadyAsync();
        return host;
    }

    /// <summary>A directory of packages that exists is taken to be installed.</summary>
    public static void InstallFixture(string data)
    {
        var target = Path.Combine(data, "packages", "weir-fixture@1.0.0", "node_modules", "weir-fixture");
        Directory.CreateDirectory(target);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Fixtures", "NodeServer")))
        {
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)), overwrite: true);
        }
    }

    public static ServerSpec Fixture(
        string share = "instance", Guid? organization = null, long generation = 1, string[]? args = null,
        Dictionary<string, string>? env = null) =>
        new(generation, organization ?? Guid.Parse("11111111-1111-1111-1111-111111111111"), "fixture", "running", "process", "stdio", share,
            null, null, "weir-fixture", "1.0.0", null, args ?? [], env ?? []);

    public static ServerSpec Npm(string package, string share, string[]? args = null, Dictionary<string, string>? env = null) =>
        Fixture(share)
            with
            {
                Name = package,
                Package = "@modelcontextprotocol/server-" + package,
                Version = Version,
                Args = args ?? [],
                Env = env ?? [],
            };

    public Uri Mcp(Guid id) => new(Url, $"v1/servers/{id}/mcp");

    public async Task<HttpResponseMessage> PutAsync(Guid id, ServerSpec spec, string? operation = null)
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Put, $"v1/servers/{id}") { Content = JsonContent.Create(spec, NodeJson.Default.ServerSpec) };
        if (operation is not null)
        {
            request.Headers.Add(NodeContract.IdempotencyHeader, operation);
        }

        return await Http.SendAsync(request);
    }

    /// <summary>Deploys a new instance and waits until it says that it runs.</summary>
    public async Task<Guid> DeployAsync(ServerSpec spec)
    {
        var id = Guid.NewGuidForTests();
        using var response = await PutAsync(id, spec);
        response.StatusCode.ShouldBe(System.Net.HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync());
        var status = await StateAsync(id, "running", "failed");
        status.State.ShouldBe("running", $"{status.ErrorCode}: {status.Error} {Errors}");
        return id;
    }

    public async Task<ServerStatus> StatusAsync(Guid id) =>
        (await Http.GetFromJsonAsync($"v1/servers/{id}", NodeJson.Default.ServerStatus))!;

    /// <summary>Waits until the instance is in one of the states.</summary>
    public async Task<ServerStatus> StateAsync(Guid id, params string[] states)
    {
        ServerStatus status = null!;
        await Until.AsyncTrue(async () => Array.IndexOf(states, (status = await StatusAsync(id)).State) >= 0,
            $"{id} should be {string.Join(" or ", states)}", Timeout);
        return status;
    }

    public async Task<NodeStatus> NodeStatusAsync() => (await Http.GetFromJsonAsync("v1/status", NodeJson.Default.NodeStatus))!;

    public async Task<McpClient> ConnectAsync(Guid id, McpClientOptions? options = null)
    {
        var transport = new HttpClientTransport(
            new HttpClientTransportOptions
            {
                Endpoint = Mcp(id),
                TransportMode = HttpTransportMode.StreamableHttp,
                AdditionalHeaders = new Dictionary<string, string>
                {
                    ["Authorization"] = Http.DefaultRequestHeaders.Authorization!.ToString(),
                },
            });
        return await McpClient.CreateAsync(transport, options);
    }

    /// <summary>SIGKILL, which leaves the node no last word.</summary>
    public async Task KillAsync()
    {
        Process.Kill();
        await Process.WaitForExitAsync();
    }

    /// <summary>Closes the lifeline, and waits for the orderly end.</summary>
    public async Task<int> StopAsync()
    {
        Process.StandardInput.Close();
        await Process.WaitForExitAsync().WaitAsync(Timeout);
        return Process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!Process.HasExited)
        {
            await StopAsync();
        }

        Http?.Dispose();
        Process.Dispose();
        if (Directory.Exists(Data))
        {
            Directory.Delete(Data, recursive: true);
        }
    }

    public static async Task<int> Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private async Task WaitUntilReadyAsync()
    {
        Process.ErrorDataReceived += (_, e) =>
        {
            lock (_stderr)
            {
                _stderr.Add(e.Data ?? "");
            }
        };
        Process.BeginErrorReadLine();
        var line = await Process.StandardOutput.ReadLineAsync().WaitAsync(Timeout) ?? throw await NotStartedAsync();
        var ready = JsonNode.Parse(line)!;
        Url = new Uri(ready["url"]!.GetValue<string>() + "/");
        NodeId = ready["nodeId"]?.GetValue<Guid>();
        var key = await File.ReadAllTextAsync(Path.Combine(Data, "state", "api-key"));
        Http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = Url };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>The end of one stream says nothing about the other: all that it said is there once the process is waited for.</summary>
    private async Task<InvalidOperationException> NotStartedAsync()
    {
        await Process.WaitForExitAsync().WaitAsync(Timeout);
        return new InvalidOperationException($"The node did not start, and ended with {Process.ExitCode}: {Errors}");
    }
}

/// <summary>A node that a test class's tests share, each with instances of its own.</summary>
public sealed class OneNode : IAsyncLifetime
{
    internal NodeHost Node { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Node = await NodeHost.StartAsync();

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}

internal static class GuidForTests
{
    extension(Guid)
    {
        public static Guid NewGuidForTests() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
    }
}

/// <summary>MCP by hand, for what a well-behaved client never sends.</summary>
internal sealed class RawMcp(NodeHost node, Guid instance)
{
    public string? Session { get; private set; }

    public async Task<HttpResponseMessage> PostAsync(string body, string? session = null, Action<HttpRequestMessage>? change = null)
    {
        using var request = Request(body, session);
        change?.Invoke(request);
        return await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    public async Task<HttpResponseMessage> PostUntilAsync(string body, CancellationToken cancellation)
    {
        using var request = Request(body, session: null);
        return await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
    }

    /// <summary>The session's own stream, not read yet.</summary>
    public async Task<HttpResponseMessage> ListenAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, node.Mcp(instance));
        request.Headers.Accept.ParseAdd("text/event-stream");
        request.Headers.Add("Mcp-Session-Id", Session);
        return await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    private HttpRequestMessage Request(string body, string? session)
    {
        var request = new HttpRequestMessage(
            HttpMethod.Post, node.Mcp(instance)) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.Accept.ParseAdd("text/event-stream");
        if ((session ?? Session) is { Length: > 0 } id)
        {
            request.Headers.Add("Mcp-Session-Id", id);
        }

        return request;
    }

    public async Task<JsonNode> InitializeAsync(string capabilities = "{}", string version = "2025-11-25")
    {
        using var response = await PostAsync(
            $$$"""{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"{{{version}}}","capabilities":{{{capabilities}}},"clientInfo":{"name":"raw","version":"1"} } }""",
            session: "");
        var body = await response.Content.ReadAsStringAsync();
        response.StatusCode.ShouldBe(System.Net.HttpStatusCode.OK, body);
        Session = response.Headers.GetValues("Mcp-Session-Id").Single();
        (await PostAsync("""{"jsonrpc":"2.0","method":"notifications/initialized"}""")).StatusCode.ShouldBe(
            System.Net.HttpStatusCode.Accepted);
        return JsonNode.Parse(body)!;
    }

    /// <param name="id">JSON.</param>
    public static string CallBody(string tool, string arguments = "{}", string id = "1", string? meta = null) =>
        $$$"""{"jsonrpc":"2.0","id":{{{id}}},"method":"tools/call","params":{"name":"{{{tool}}}","arguments":{{{arguments}}}{{{(meta is null
            ? "" : ",\"_meta\":" + meta)}}} } }""";

    /// <summary>The text of a tool's answer.</summary>
    public async Task<string> CallAsync(string tool, string arguments = "{}", string id = "1", string? meta = null)
    {
        using var response = await PostAsync(CallBody(tool, arguments, id, meta));
        var answer = (await MessagesAsync(response))[^1];
        return answer["result"]?["content"]?[0]?["text"]?.GetValue<string>() ?? answer.ToJsonString();
    }

    /// <summary>All messages of an answer, whichever form it has.</summary>
    public static async Task<List<JsonNode>> MessagesAsync(HttpResponseMessage response)
    {
        var body = await response.Content.ReadAsStringAsync();
        return response.Content.Headers.ContentType?.MediaType == "text/event-stream"
            ? body.Split('\n').Where(l => l.StartsWith("data: ", StringComparison.Ordinal)).Select(l => JsonNode.Parse(l[6..])!).ToList()
            : [JsonNode.Parse(body)!];
    }
}
