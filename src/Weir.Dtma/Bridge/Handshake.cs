using System.Reflection;
using System.Text.Json;
using Weir.Configuration;
using Weir.Dtma.State;
using Weir.Nodes;

namespace Weir.Dtma.Bridge;

/// <summary>The proof that a server runs: it initializes, and lists its tools if it says that it has some.</summary>
internal static class Handshake
{
    private const string Newest = "2025-11-25";

    /// <summary>The protocol versions that the bridge speaks.</summary>
    public static readonly string[] Versions = [Newest, "2025-06-18", "2025-03-26"];

    public static string OwnVersion { get; } = typeof(Handshake).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
        .InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>The child's initialize result, as it said it. The bridge declares no capabilities: what many share can ask nobody.</summary>
    /// <exception cref="InstanceFailure">The child does not speak MCP, or not in time.</exception>
    public static async Task<byte[]> RunAsync(ChildConnection child, TimeSpan timeout, CancellationToken cancellation)
    {
        var parameters = $$$"""{"protocolVersion":"{{{Newest}}}","capabilities":{},"clientInfo":{"name":"weir-dtma","version":"{{{OwnVersion}}}"}}""";
        using var initialized = await AskAsync(child, "initialize", parameters, timeout, cancellation);
        var result = initialized.RootElement.GetProperty("result");
        var version = result.TryGetProperty("protocolVersion", out var v) ? v.ToString() : "none";
        if (!Versions.Contains(version))
        {
            throw Failed($"The server speaks protocol version {version}; the bridge speaks {string.Join(", ", Versions)}.");
        }

        child.Send(JsonRpc.Notification("notifications/initialized", ""));
        var hasTools = result.TryGetProperty("capabilities", out var capabilities) && capabilities.TryGetProperty("tools", out _);
        using var second = await AskAsync(child, hasTools ? "tools/list" : "ping", "", timeout, cancellation);
        return System.Text.Encoding.UTF8.GetBytes(result.GetRawText());
    }

    private static async Task<JsonDocument> AskAsync(
        ChildConnection child, string method, string parameters, TimeSpan timeout, CancellationToken cancellation)
    {
        var reply = await child.AskAsync(method, parameters, timeout, cancellation)
            ?? throw Failed($"The server did not answer {method} within {timeout.TotalSeconds:0} s.");
        if (!child.IsOpen)
        {
            throw new InstanceFailure(NodeErrors.ChildExited, $"The server ended before it answered {method}.");
        }

        var document = JsonDocument.Parse(reply, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        if (document.RootElement.TryGetProperty("error", out var error))
        {
            var text = error.GetRawText();
            document.Dispose();
            throw Failed($"The server answered {method} with an error: {text[..Math.Min(text.Length, 500)]}");
        }

        return document;
    }

    private static InstanceFailure Failed(string message) => new(NodeErrors.HandshakeFailed, message);
}
