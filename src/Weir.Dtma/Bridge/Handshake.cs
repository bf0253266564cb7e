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
    private const string Oldest = "2024-11-05";
    private const int InvalidParams = -32602;

    /// <summary>The longest answer to <c>initialize</c>, which is kept for as long as the child runs.</summary>
    public const int ResultLimit = 256 * 1024;
    private const int QuotedError = 500;

    /// <summary>The protocol versions that the bridge speaks, newest first. It uses nothing that the oldest lacks.</summary>
    public static readonly string[] Versions = [Newest, "2025-06-18", "2025-03-26", Oldest];

    public static string OwnVersion { get; } = typeof(Handshake).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
        .InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>The child's initialize result, as it said it. The bridge declares no capabilities: what many share can ask nobody.</summary>
    /// <exception cref="InstanceFailure">The child does not speak MCP, or not in time.</exception>
    public static async Task<byte[]> RunAsync(ChildConnection child, TimeSpan timeout, CancellationToken cancellation)
    {
        var reply = await InitializeAsync(child, Newest, timeout, cancellation);
        if (VersionToTryNext(reply) is { } version)
        {
            reply = await InitializeAsync(child, version, timeout, cancellation);
        }

        var (result, hasTools) = ReadResult(reply);
        child.Send(JsonRpc.Notification("notifications/initialized", ""));
        var method = hasTools ? "tools/list" : "ping";
        var second = await AskAsync(child, method, "", timeout, cancellation);
        return Envelope.TryParse(second, out var answer, out _) && !answer.IsError ? result : throw Refused(method, second);
    }

    private static Task<byte[]> InitializeAsync(ChildConnection child, string version, TimeSpan timeout, CancellationToken cancellation)
    {
        var parameters = $$$"""{"protocolVersion":"{{{version}}}","capabilities":{},"clientInfo":{"name":"weir-dtma","version":"{{{OwnVersion}}}"}}""";
        return AskAsync(child, "initialize", parameters, timeout, cancellation);
    }

    /// <summary>
    /// A server should answer a version that it does not know with one that it does; some answer with an error, which may name their
    /// versions. Null where there is nothing to try.
    /// </summary>
    private static string? VersionToTryNext(byte[] reply)
    {
        using var document = Parse(reply);
        if (!document.RootElement.TryGetProperty("error", out var error) || error.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (error.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object
            && data.TryGetProperty("supported", out var supported) && supported.ValueKind == JsonValueKind.Array)
        {
            var named = supported.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()).ToHashSet();
            return Array.Find(Versions, named.Contains);
        }

        return error.TryGetProperty("code", out var code) && code.ValueKind == JsonValueKind.Number && code.TryGetInt32(out var number)
            && number == InvalidParams ? Oldest : null;
    }

    private static (byte[] Result, bool HasTools) ReadResult(byte[] reply)
    {
        using var document = Parse(reply);
        if (!document.RootElement.TryGetProperty("result", out var result))
        {
            throw Refused("initialize", reply);
        }

        if (result.ValueKind != JsonValueKind.Object)
        {
            throw Failed("The server's result of initialize is not an object.");
        }

        var version = result.TryGetProperty("protocolVersion", out var v) ? v.ToString() : "none";
        if (!Versions.Contains(version))
        {
            throw Failed($"The server speaks protocol version {version}; the bridge speaks {string.Join(", ", Versions)}.");
        }

        var hasTools = result.TryGetProperty("capabilities", out var capabilities) && capabilities.ValueKind == JsonValueKind.Object
            && capabilities.TryGetProperty("tools", out var tools) && tools.ValueKind != JsonValueKind.Null;
        return (System.Text.Encoding.UTF8.GetBytes(result.GetRawText()), hasTools);
    }

    private static JsonDocument Parse(byte[] reply) => reply.Length <= ResultLimit
        ? JsonDocument.Parse(reply, new JsonDocumentOptions { MaxDepth = JsonDepth.Message })
        : throw Failed($"The server's answer to initialize is longer than {ResultLimit >> 10} KiB.");

    private static async Task<byte[]> AskAsync(
        ChildConnection child, string method, string parameters, TimeSpan timeout, CancellationToken cancellation)
    {
        var reply = await child.AskAsync(method, parameters, timeout, cancellation)
            ?? throw Failed($"The server did not answer {method} within {timeout.TotalSeconds:0} s.");
        return child.IsOpen ? reply : throw new InstanceFailure(NodeErrors.ChildExited, $"The server ended before it answered {method}.");
    }

    private static InstanceFailure Refused(string method, byte[] reply) => Failed(
        $"The server answered {method} with an error: {System.Text.Encoding.UTF8.GetString(reply.AsSpan(0, Math.Min(reply.Length, QuotedError)))}");

    private static InstanceFailure Failed(string message) => new(NodeErrors.HandshakeFailed, message);
}
